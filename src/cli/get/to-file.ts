import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { DataferryError } from '../../errors.ts'
import type { Item } from '../../model/item.ts'
import { safeFilePath } from '../../model/path.ts'
import type { Receipt } from '../../model/receipt.ts'
import { shellWord } from '../../model/shell-word.ts'
import type { OpenSource } from '../../model/source.ts'
import { diskSink } from '../../sinks/disk/disk-sink.ts'
import { removeEmptyWorkspace } from '../../sinks/disk/workspace.ts'
import type { Sink } from '../../sinks/sink.ts'
import { transferArchive } from '../../transfer/transfer-archive.ts'
import { keepExisting } from '../../transfer/existing.ts'
import { shareOf } from '../../model/timetable.ts'
import { limitedSource, RateLimit } from '../../transfer/rate-limit.ts'
import { transfer, type Run } from '../../transfer/transfer.ts'
import { ArchiveCheck } from './archive-check.ts'
import type { GetRun, OutputTarget } from './run.ts'
import { answerSource, tryAgain, wholeSource, type ListedDownload } from './source.ts'

type FileTarget = Extract<OutputTarget, { readonly kind: 'file' }>

/** A file that is there now. */
export interface Got {
  /** Absolute. */
  readonly path: string
  readonly receipt: Receipt
}

/**
 * Downloads to a file, which shows only when it is whole and right. What is there already is treated as in a batch. A
 * whole file resumes from the part that an earlier run left beside it, when a published checksum can prove in the end
 * that both belong together. Rejects with `ZIP_INCOMPLETE` when a ZIP that was kept lacks files.
 */
export async function getToFile(run: GetRun, target: FileTarget, listed: ListedDownload | undefined): Promise<Got> {
  const sink = diskSink(target.folder)
  try {
    const receipt = listed ? await listedFile(run, target, listed, sink) : await answered(run, target, sink)
    return { path: join(target.folder, receipt.path), receipt }
  } finally {
    await sink.close()
    // A single file should leave nothing else behind.
    await removeEmptyWorkspace(target.folder)
  }
}

/** The name is known before the first request, and so is everything else. */
async function listedFile(run: GetRun, target: FileTarget, listed: ListedDownload, sink: Sink): Promise<Receipt> {
  const { context, request, sources } = run
  const item: Item = { ...listed.item, path: target.name ?? nameFor(listed.name) }
  const open = wholeSource(sources.source(request.server), request)
  let count = true
  return tryAgain(context, async () => {
    const kept = await existing(run, target, item, sink)
    return kept ?? (await bring(run, item, open, sink, count, () => (count = false)))
  })
}

/** What is made for the request: its name comes with the answer. */
async function answered(run: GetRun, target: FileTarget, sink: Sink): Promise<Receipt> {
  const { context, api, request } = run
  const { server, ref, guestbookResponse } = request
  const itemAt = (path: string): Item => ({ n: 0, server, ref, path, expect: {} })
  return tryAgain(context, async (count) => {
    const early = target.name === undefined ? undefined : await existing(run, target, itemAt(target.name), sink)
    if (early) return early
    const countDownload = count && request.count
    await using download = await request.ask(api, { signal: context.signal, countDownload, guestbookResponse })
    const item = itemAt(target.name ?? nameFor(download.name ?? 'download'))
    const kept = target.name === undefined ? await existing(run, target, item, sink) : undefined
    const rate = new RateLimit(shareOf(context.config.settings.limitRate))
    return kept ?? (await bring(run, item, limitedSource(answerSource(download), rate), sink, count))
  })
}

async function bring(
  run: GetRun,
  item: Item,
  open: OpenSource,
  sink: Sink,
  count: boolean,
  onCounted?: () => void,
): Promise<Receipt> {
  const { context, progress } = run
  const key = outputKey(item)
  const { segments, digest: digests } = context.config.settings
  const { signal } = context
  const details: Run = { key, signal, count, onCounted, segments, digests, onProgress: progress(item) }
  if (item.ref.kind !== 'file') {
    const check = new ArchiveCheck(item.ref)
    const receipt = await transferArchive(item, { open, sink }, details, check.inspect)
    await sink.forget(key)
    check.refuseIncomplete(item.path)
    return receipt
  }
  const receipt = await transfer(item, { open, sink }, details)
  if (receipt.verified !== 'checksum') await sink.forget(key)
  return receipt
}

/** A name that the server chose: safe as a path, and not a hidden file, which shells and tools may act on. */
function nameFor(served: string): string {
  return safeFilePath('', served.startsWith('.') ? `_${served}` : served).path
}

/** A file at a name that the server chose is never replaced, whatever --existing says. */
async function existing(
  { context: { config, signal } }: GetRun,
  target: FileTarget,
  item: Item,
  sink: Sink,
): Promise<Receipt | undefined> {
  const { existing: given, digest: digests } = config.settings
  const policy = target.name !== undefined || given === 'skip' ? given : 'error'
  const run = { key: outputKey(item), policy, digests, earlier: () => Promise.resolve(undefined), signal }
  try {
    return await keepExisting(item, sink, run)
  } catch (error) {
    if (!(error instanceof DataferryError) || error.code !== 'SINK_EXISTS' || policy === given) throw error
    const advice = `The server chose this name: give -o ${shellWord(join(target.folder, item.path))} to allow replacing it.`
    throw new DataferryError(error.code, error.message, { cause: error, advice })
  }
}

/** The same download under the same name finds its part again; anything else has a part of its own. */
function outputKey({ server, ref, path, expect }: Item): string {
  const identity = JSON.stringify([server, ref, path, expect.checksum, expect.size])
  return `get-${createHash('sha256').update(identity).digest('hex').slice(0, 20)}`
}
