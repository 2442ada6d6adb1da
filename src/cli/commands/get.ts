import { PARKS, type Command } from '../command.ts'
import { FORM_FLAGS, SERVER_SETTINGS, TRANSFER_FLAGS } from '../shared-flags.ts'

/** `dataferry get`: one file, or one ZIP, without a batch and without Redis. */
export const command: Command = {
  examples: [
    'dataferry get 42 --server https://demo.dataverse.org',
    'dataferry get doi:10.5072/FK2/ABCDEF/GHIJKL -o survey.csv --server https://demo.dataverse.org',
    'dataferry get 42 --format tab -o - --server https://demo.dataverse.org',
    'dataferry get doi:10.5072/FK2/ABCDEF --dataset-zip --server https://demo.dataverse.org',
  ],
  about:
    'The file appears only once it is complete and, where the server publishes a checksum, verified. Run again, the same command continues where it stopped.',
  operands: [{ name: 'id', help: 'a file id, a PID, or the address of a page; with --zip several ids', many: true }],
  settings: [...SERVER_SETTINGS, 'guestbook', 'existing', 'digest', 'segments', 'retries', 'limitRate'],
  flags: [
    {
      flags: '-o, --output <path>',
      help: 'a file, a folder, or - for standard output (default: the server’s name for it, here)',
    },
    ...FORM_FLAGS,
    { flags: '--range <bytes>', help: 'only these bytes, from 0: 0-499, or 500- for the rest' },
    { flags: '--zip', help: 'several files of one dataset as one ZIP' },
    { flags: '--bundle', help: 'a tabular file in all its forms as one ZIP' },
    { flags: '--file-metadata-id <id>', help: 'with --bundle: the version that citation and metadata are of' },
    { flags: '--dataset-zip', help: 'the id is a dataset: all files of a version as one ZIP' },
    { flags: '--dataset-version <version>', help: 'with --dataset-zip: 1.0, :latest, :latest-published or :draft' },
    ...TRANSFER_FLAGS,
  ],
  stop: PARKS,
  run: async (context) => (await import('../actions/get.ts')).run(context),
}
