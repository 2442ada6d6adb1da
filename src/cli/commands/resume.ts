import { PARKS, type Command } from '../command.ts'
import { command as runCommand } from './run.ts'

/** `dataferry resume`: continues from the records at the destination alone. */
export const command: Command = {
  examples: ['dataferry resume ./data'],
  about:
    'Works even if Redis or the manifest is gone. ' +
    'A batch that was paused or cancelled stays so until `dataferry continue`.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: runCommand.settings,
  flags: [{ flags: '--enqueue', help: 'only rebuild what Redis must know, and leave the fetching to workers' }],
  stop: PARKS,
  run: async (context) => (await import('../actions/resume.ts')).run(context),
}
