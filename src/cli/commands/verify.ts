import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS } from '../shared-flags.ts'

/** `dataferry verify`: whether everything ever fetched to a destination is still there, byte for byte. */
export const command: Command = {
  examples: [
    'dataferry verify ./data',
    'dataferry verify s3://bucket/prefix --quick --json',
    'dataferry verify ./data --rolling 30d',
    'dataferry verify ./data --wanted again.csv',
    'dataferry verify ./data --digest sha512',
    'dataferry verify ./ocfl-root',
  ],
  about:
    'Exits with 1 when a file is missing, changed, extra, or was ' +
    'asked for (or is to be in a mirror) but never fetched, or when records are damaged, and with 3 when there are no records. ' +
    'What was only planned is named, and is not missed. ' +
    'A storage root or object of OCFL is validated by its own inventories, whoever wrote it. ' +
    'With --wanted, what is missing or changed becomes a manifest for `dataferry run`.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: [...DESTINATION_SETTINGS, 'digest'],
  flags: [
    { flags: '--quick', help: 'compare sizes and what the store itself recorded, without reading the files' },
    {
      flags: '--rolling <period>',
      help: 'read only a share, what was not read for longest first, so that everything is read within e.g. 30d',
    },
    {
      flags: '--report <file>',
      help: 'write every finding to a file: a table where its name ends in .csv, else a JSON object a line',
    },
    { flags: '--wanted <file>', help: 'write a manifest of what is missing or changed, to fetch it again' },
  ],
  run: async (context) => (await import('../verify/run.ts')).verify(context),
}
