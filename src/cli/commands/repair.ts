import { PARKS, type Command } from '../command.ts'
import { command as runCommand } from './run.ts'

/** `dataferry repair`: fetches again what is missing or changed. */
export const command: Command = {
  examples: [
    'dataferry repair ./data',
    'dataferry repair ./data climate --server https://demo.dataverse.org',
    'dataferry repair ./data --from s3://bucket/copy',
  ],
  about:
    'Looks at every file that was not verified within 30 days or was found missing or changed, and fetches what is, from the server or ' +
    'with --from from another copy: only bytes that are exactly those that had been received. A damaged file stays where it is until ' +
    'the good one takes its place, and aside until that has been read and is right. What was asked for and never fetched is counted, ' +
    'with the command that goes on with it.',
  operands: [
    { name: 'destination', help: 'a folder or URL' },
    {
      name: 'name',
      help: 'only files of these mirrors and batches, each by its name or the end of it',
      optional: true,
      many: true,
    },
  ],
  settings: runCommand.settings,
  flags: [
    {
      flags: '--from <copy>',
      help: 'another folder or URL that holds the same files, at the same paths or by its records elsewhere',
    },
    { flags: '--full', help: 'read every file, however recently it was verified' },
    { flags: '--keep-damaged', help: 'leave damaged files aside when the good ones are there' },
    { flags: '-n, --dry-run', help: 'only look, and name what is missing or changed' },
  ],
  stop: PARKS,
  run: async (context) => (await import('../repair/run.ts')).repair(context),
}
