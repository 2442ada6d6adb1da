import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS, SUBJECT } from '../shared-flags.ts'

/** `dataferry continue`: lifts a pause or a cancellation. */
export const command: Command = {
  examples: [
    'dataferry continue manifest-20261123-150742-1f0c',
    'dataferry continue --only-server https://demo.dataverse.org',
  ],
  operands: SUBJECT,
  settings: DESTINATION_SETTINGS,
  flags: [{ flags: '--only-server <url>', help: 'continue this server for all batches' }],
  run: async (context) => (await import('../actions/continue.ts')).run(context),
}
