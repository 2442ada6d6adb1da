import { DataferryError } from '../../errors.ts'
import type { Receipt } from '../../model/receipt.ts'
import { PARKS, type Command, type Context, type ExitCode } from '../command.ts'
import { FORM_FLAGS, TRANSFER_FLAGS } from '../download-flags.ts'
import { formatBytes } from '../terminal/format.ts'
import { readRequest, type GetRequest } from '../get/request.ts'
import { fileProgress, outputTarget, type GetRun, type OutputTarget } from '../get/run.ts'
import { listing, requireTable } from '../get/source.ts'
import { getToFile } from '../get/to-file.ts'
import { getToStream, type Streamed } from '../get/to-stream.ts'
import { refusedOrThrow } from '../refusal.ts'
import { SERVER_SETTINGS, Sources } from '../sources.ts'

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
  settings: [...SERVER_SETTINGS, 'existing', 'segments', 'retries', 'limitRate'],
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
  run: async (context) => {
    const request = await readRequest(context)
    const target = await outputTarget(context.text('output'))
    if (target.kind === 'stream' && context.out.json) {
      throw new DataferryError('ARGUMENT_INVALID', '--json uses standard output itself: give -o a file.')
    }
    const sources = new Sources(context, [request.server])
    try {
      return await get(context, request, target, sources)
    } catch (error) {
      return refusedOrThrow(error, context)
    } finally {
      await sources.close()
    }
  },
}

async function get(context: Context, request: GetRequest, target: OutputTarget, sources: Sources): Promise<ExitCode> {
  const { out, signal } = context
  const progress = fileProgress(context)
  const run: GetRun = { context, request, sources, api: sources.access(request.server, 0), progress: progress.of }
  try {
    const native = sources.native(request.server)
    if (request.ref.kind === 'all-forms') await requireTable(native, request.ref.file, signal)
    const listed = request.whole ? await listing(native, request, signal) : undefined
    if (target.kind === 'stream') {
      const streamed = await getToStream(run, target, listed)
      progress.stop()
      out.say(`${streamed.name}: ${proof(streamed)}`)
      return 0
    }
    const { path, receipt } = await getToFile(run, target, listed)
    progress.stop()
    const there = receipt.state === 'kept' ? 'already there, ' : ''
    out.result({ event: 'file', ...receipt, n: undefined, path }, `${path}: ${there}${proof(receipt)}`, 'good')
    return 0
  } finally {
    progress.stop()
  }
}

/** `12 MiB, md5 9e10… as published`. */
function proof({ size, checksum, verified, note }: Receipt | Streamed): string {
  const hash = checksum ? `${checksum.algorithm} ${checksum.hex}` : 'not read'
  const facts = {
    checksum: `${hash} as published`,
    structure: 'a sound ZIP',
    size: `size as announced, ${hash}; no checksum is published for this form`,
    nothing: `${hash}; nothing was published to compare it with`,
  }[verified]
  return `${formatBytes(size)}, ${facts}${note === undefined ? '' : ` (${note})`}`
}
