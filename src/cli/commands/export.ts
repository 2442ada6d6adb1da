import type { Command } from '../command.ts'
import { DESTINATION_SETTINGS, SERVER_SETTINGS } from '../shared-flags.ts'

/** `dataferry export`: hands on what was fetched in forms that other programs read. */
export const command: Command = {
  examples: [
    'dataferry export ro-crate climate --from ./mirror --to ./crates',
    'dataferry export ro-crate doi:10.5072/FK2/ABCDEF --from ./data --to ./crates --zip',
    'dataferry export ocfl climate --from ./mirror --to ./ocfl',
    'dataferry export statement climate --from ./mirror --to ./audit --sign ~/.ssh/id_ed25519',
  ],
  about:
    'ro-crate: a folder or file for each dataset version with its files, ro-crate-metadata.json (RO-Crate 1.2) and a page for ' +
    'people. ocfl: a storage root (OCFL 1.1), an object for each dataset, a version for each of its versions, content once. ' +
    'Every byte is compared with what was fetched; what is there stays. statement: what was asked for, what came and what is missing, as a ' +
    'page for people (report.html), for programs (report.json), with the SHA-256 of every record (records.sha256), which can be signed.',
  operands: [
    { name: 'form', help: 'ro-crate, ocfl, statement' },
    { name: 'what', help: 'a mirror, a batch, or, but for a statement, the PID of a dataset' },
  ],
  settings: [...DESTINATION_SETTINGS, ...SERVER_SETTINGS],
  settingHelp: {
    destination:
      'where it goes: a folder or URL, which has to be given; without it a statement stays beside its records',
  },
  flags: [
    { flags: '--from <destination>', help: 'where the data is: a folder or URL that was given to --to before' },
    { flags: '--per <what>', help: 'one for each dataset (default), or one of the whole batch' },
    { flags: '--zip', help: 'each as a ZIP file, not as a folder' },
    { flags: '--tar', help: 'each as a tar file' },
    { flags: '--link', help: 'hard links in place of copies, where folder and data are on one disk' },
    { flags: '--layout <name>', help: 'with ocfl: of a new storage root: 0004 (default), 0003 or flat' },
    { flags: '--algorithm <name>', help: 'with ocfl: of new objects: sha512 (default) or sha256' },
    {
      flags: '--sign <keyfile>',
      help: 'with statement: sign it with this SSH key, or the public one of a key in ssh-agent',
    },
    { flags: '--check', help: 'with statement: only check its records and its signature; 1 when they do not fit it' },
    {
      flags: '--allowed-signers <file>',
      help: 'with --check: the keys that may have signed, as ssh-keygen -Y verify reads them',
    },
    {
      flags: '--accept-changed',
      help: 'with statement: make it again where records were changed since, which is refused without this',
    },
    { flags: '--allow-missing', help: 'also datasets of which files could not be fetched; the description says which' },
    { flags: '--offline', help: 'ask no server for metadata that is not kept with the data' },
  ],
  stop: {
    stopping: 'what is in progress is dropped.',
    stopped: 'Run the same command again: what is there stays.',
  },
  run: async (context) => (await import('../actions/export.ts')).run(context),
}
