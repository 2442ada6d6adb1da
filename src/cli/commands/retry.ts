import { PARKS, type Command } from '../command.ts'
import { command as runCommand } from './run.ts'

/** `dataferry retry`: the failed items only. */
export const command: Command = {
  examples: ['dataferry retry', 'dataferry retry 1f0c --code SOURCE_DENIED --server https://demo.dataverse.org'],
  about:
    'Where workers run that its batch was left to, they do it; otherwise this command fetches them itself, as `dataferry run` does.',
  operands: [
    {
      name: 'batch',
      help: 'its id as `dataferry status` shows it, or the end of it; default: the last one with failures',
      optional: true,
    },
  ],
  settings: runCommand.settings,
  flags: [{ flags: '--code <codes>', help: 'only failures with these codes, separated by commas' }],
  stop: PARKS,
  run: async (context) => (await import('../actions/retry.ts')).run(context),
}
