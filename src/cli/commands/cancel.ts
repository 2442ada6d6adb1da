import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS } from '../shared-flags.ts'

/** `dataferry cancel`: fetches nothing more of a batch. */
export const command: Command = {
  examples: ['dataferry cancel manifest-20261123-150742-1f0c'],
  about: 'Files already fetched stay. `dataferry continue` or the same `dataferry run` takes it up again.',
  operands: [{ name: 'batch', help: 'its id as `dataferry status` shows it, or the end of it' }],
  settings: DESTINATION_SETTINGS,
  flags: [],
  run: async (context) => (await import('../actions/cancel.ts')).run(context),
}
