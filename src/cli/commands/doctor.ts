import type { Command } from '../command.ts'
import { command as runCommand } from './run.ts'

/** `dataferry doctor`: whether a batch would run here; each finding comes with its fix. */
export const command: Command = {
  examples: [
    'dataferry doctor --server https://demo.dataverse.org',
    'dataferry doctor manifest.csv --server https://demo.dataverse.org --to ./data',
  ],
  about:
    'Takes the same arguments as `dataferry run` and tries them for real: starts the private Redis, asks the server, and writes, ' +
    'lists and deletes a file at the destination. Nothing is left behind. Exits with 1 when a batch would not run.',
  operands: runCommand.operands,
  settings: runCommand.settings,
  flags: runCommand.flags,
  run: async (context) => (await import('../actions/doctor.ts')).run(context),
}
