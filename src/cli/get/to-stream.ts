import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { Writable } from 'node:stream'
import { DataferryError, systemCode } from '../../errors.ts'
import type { Checksum } from '../../model/checksum.ts'
import type { Item } from '../../model/item.ts'
import type { Verified } from '../../model/receipt.ts'
import { createHash } from '../../transfer/hash.ts'
import { hasLegacyChecksum } from '../../transfer/legacy-checksum.ts'
import { Meter, type Received } from '../../transfer/meter.ts'
import { limitedSource, RateLimit } from '../../transfer/rate-limit.ts'
import { DEFAULT_RECONNECT, readFrom } from '../../transfer/resuming-reader.ts'
import { tap } from '../../transfer/tap.ts'
import { verify } from '../../transfer/verify.ts'
import { ArchiveCheck } from './archive-check.ts'
import type { ListedDownload } from './listing.ts'
import type { GetRun } from './run.ts'
import { answerSource, wholeSource } from './source.ts'
import { tryAgain } from './try-again.ts'

/** What went by, and what it was compared with. */
export interface Streamed {
  readonly name: string
  readonly size: number
  readonly checksum: Checksum
  readonly verified: Verified
  readonly note?: string
}

/**
 * Brings what was asked for to standard output, or with `path` to a pipe or device. A broken connection of a whole file
 * is gone on with at its byte. Bytes that are out cannot be taken back, so whoever reads them must look at how the
 * command ends: rejects with `CHECKSUM_MISMATCH`, `SHORT_BODY`, `ZIP_DAMAGED` or `ZIP_INCOMPLETE` behind the last byte.
 */
export async function getToStream(
  run: GetRun,
  path: string | undefined,
  listed: ListedDownload | undefined,
): Promise<Streamed> {
  const sheet = path === undefined ? process.stdout : createWriteStream(path, { flags: 'r+' })
  try {
    return listed ? await listedStream(run, sheet, listed) : await answered(run, sheet)
  } finally {
    if (sheet !== process.stdout) {
      sheet.end()
      await finished(sheet).catch(() => undefined)
    }
  }
}

async function listedStream(run: GetRun, sheet: Writable, { item: listed, name }: ListedDownload): Promise<Streamed> {
  const { context, api, request, sources } = run
  const item: Item = { ...listed, path: name }
  const open = wholeSource(sources.source(request.server), api, request)
  const reading = {
    signal: context.signal,
    expectedSize: item.expect.size,
    count: true,
    reconnect: DEFAULT_RECONNECT,
  }
  const received = await pour(run, item, readFrom(open, item.ref, 0, reading), sheet)
  const verdict = verify(item.expect, received, undefined)
  if (!('error' in verdict)) return { name, ...received, ...verdict }
  const legacy = verdict.error.code === 'CHECKSUM_MISMATCH' && (await hasLegacyChecksum(item, open, context.signal))
  if (!legacy) throw verdict.error
  const note = 'the published checksum is that of the archival form without its header line'
  return { name, ...received, verified: 'nothing', note }
}

async function answered(run: GetRun, sheet: Writable): Promise<Streamed> {
  const { context, api, request } = run
  const { signal } = context
  const { ref, server, guestbookResponse } = request
  await using download = await tryAgain(context, (first) =>
    request.ask(api, { signal, countDownload: first && request.count, guestbookResponse }),
  )
  const name = download.name ?? request.shown
  const item: Item = { n: 0, server, ref, path: name, expect: {} }
  const rate = new RateLimit(context.config.settings.limitRate)
  const { body } = await limitedSource(answerSource(download), rate)(ref, 0, { signal, count: true })
  if (ref.kind === 'file') {
    const received = await pour(run, item, body, sheet)
    return { name, ...received, verified: download.size === undefined ? 'nothing' : 'size' }
  }
  const check = new ArchiveCheck(ref)
  const { passing, result } = tap(body, (bytes) => check.inspect(bytes, signal))
  const received = await pour(run, item, passing, sheet)
  const { note } = await result
  check.refuseIncomplete(name)
  return { name, ...received, verified: 'structure', note }
}

/** Writes, counts and hashes; the next chunk is asked for when the last one is written. */
async function pour(
  { progress }: GetRun,
  item: Item,
  chunks: AsyncIterable<Uint8Array>,
  sheet: Writable,
): Promise<Received> {
  const algorithm = item.expect.checksum?.algorithm ?? 'sha256'
  const hash = createHash({ algorithm, size: item.expect.size, saveable: false })
  try {
    const meter = new Meter(hash, 0, undefined, progress(item))
    for await (const chunk of meter.through(chunks)) await written(sheet, chunk)
    return await meter.result()
  } finally {
    hash.close()
  }
}

async function written(sheet: Writable, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    sheet.write(chunk, (error) => {
      if (!error) resolve()
      else if (systemCode(error) === 'EPIPE')
        reject(new DataferryError('INTERRUPTED', 'nobody reads the output any more'))
      else
        reject(new DataferryError('SINK_FAILED', `The output cannot be written: ${error.message}.`, { cause: error }))
    })
  })
}
