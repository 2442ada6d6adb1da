import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS } from '../shared-flags.ts'

/** `dataferry clean`: removes what finished and abandoned batches left behind. */
export const command: Command = {
  examples: ['dataferry clean ./data', 'dataferry clean s3://bucket/prefix --all'],
  about:
    'Unfinished batches keep their partial files and uploads unless --all is given; then their files in flight start over. ' +
    'Never touches a finished file.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: DESTINATION_SETTINGS,
  flags: [{ flags: '--all', help: 'also those that unfinished batches would continue' }],
  run: async (context) => (await import('../actions/clean.ts')).run(context),
}
