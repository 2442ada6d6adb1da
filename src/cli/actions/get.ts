import { DataferryError } from '../../errors.ts'
import type { Receipt } from '../../model/receipt.ts'
import type { Command, Context, ExitCode } from '../command.ts'
import { formatBytes } from '../../model/format.ts'
import { readRequest, type GetRequest } from '../get/request.ts'
import { fileProgress, outputTarget, type GetRun, type OutputTarget } from '../get/run.ts'
import { listing, requireTable } from '../get/source.ts'
import { getToFile } from '../get/to-file.ts'
import { getToStream, type Streamed } from '../get/to-stream.ts'
import { refusedOrThrow } from '../refusal.ts'
import { Sources } from '../sources.ts'

/** What `dataferry get` does. */
export const run: Command['run'] = async (context) => {
  const request = readRequest(context)
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
function proof({ size, checksum, digests = [], verified, note }: Receipt | Streamed): string {
  const hash = checksum ? `${checksum.algorithm} ${checksum.hex}` : 'not read'
  const facts = {
    checksum: `${hash} as published`,
    structure: 'a sound ZIP',
    size: `size as announced, ${hash}; no checksum is published for this form`,
    nothing: `${hash}; nothing was published to compare it with`,
  }[verified]
  const further = digests.map(({ algorithm, hex }) => `, ${algorithm} ${hex}`).join('')
  return `${formatBytes(size)}, ${facts}${further}${note === undefined ? '' : ` (${note})`}`
}
