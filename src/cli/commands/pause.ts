import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS, SUBJECT } from '../shared-flags.ts'

/** `dataferry pause`: on all machines within two seconds; files in flight are parked at their byte. */
export const command: Command = {
  examples: [
    'dataferry pause manifest-20261123-150742-1f0c',
    'dataferry pause --only-server https://demo.dataverse.org',
  ],
  about: 'Uses no attempt and loses no byte. `dataferry continue` lifts it.',
  operands: SUBJECT,
  settings: DESTINATION_SETTINGS,
  flags: [{ flags: '--only-server <url>', help: 'pause this server for all batches' }],
  run: async (context) => (await import('../actions/pause.ts')).run(context),
}
