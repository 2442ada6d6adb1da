import { constants, createWriteStream, open as openFile } from 'node:fs'
import { Socket } from 'node:net'
import { finished } from 'node:stream/promises'
import type { Writable } from 'node:stream'
import { promisify } from 'node:util'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import type { Checksum } from '../../model/checksum.ts'
import type { Item } from '../../model/item.ts'
import type { Verified } from '../../model/receipt.ts'
import { sinkError } from '../../sinks/disk/errors.ts'
import { Meter, type Received } from '../../transfer/meter.ts'
import { shareOf } from '../../model/timetable.ts'
import { limitedSource, RateLimit } from '../../transfer/rate-limit.ts'
import { tap } from '../../transfer/tap.ts'
import { hashFor, Incoming } from '../../transfer/incoming.ts'
import { ArchiveCheck } from './archive-check.ts'
import type { GetRun, OutputTarget } from './run.ts'
import { answerSource, tryAgain, wholeSource, type ListedDownload } from './source.ts'

type StreamTarget = Extract<OutputTarget, { readonly kind: 'stream' }>

/** What was written, and what it was compared with. */
export interface Streamed {
  readonly name: string
  readonly size: number
  readonly checksum: Checksum
  readonly digests: readonly Checksum[]
  readonly verified: Verified
  readonly note?: string
}

/**
 * Writes the download to standard output, or to a pipe or device. A whole file whose connection breaks is resumed at
 * its byte. Bytes that are written cannot be taken back, so their reader must look at how the command ends: rejects
 * with `CHECKSUM_MISMATCH`, `SHORT_BODY`, `ZIP_DAMAGED` or `ZIP_INCOMPLETE` behind the last byte.
 */
export async function getToStream(
  run: GetRun,
  target: StreamTarget,
  listed: ListedDownload | undefined,
): Promise<Streamed> {
  const output = target.path === undefined ? process.stdout : await openOutput(target.path, target.isPipe)
  const streamed = listed ? listedStream(run, output, listed) : answered(run, output)
  if (output === process.stdout) return streamed
  try {
    const ended = await streamed
    output.end()
    await finished(output).catch((error: unknown) => {
      throw outputError(error)
    })
    return ended
  } finally {
    output.destroy()
  }
}

/** Rejects with one of the `SINK_…` codes. A pipe must have a reader: opening it would wait for one forever. */
async function openOutput(path: string, isPipe: boolean): Promise<Writable> {
  const flags = constants.O_WRONLY | (isPipe ? constants.O_NONBLOCK : 0)
  const fd = await promisify(openFile)(path, flags).catch((error: unknown) => {
    if (!isPipe || systemCode(error) !== 'ENXIO') throw sinkError(error, `write to ${path}`)
    throw new DataferryError(
      'SINK_UNAVAILABLE',
      `Nothing is reading the pipe ${path}: start its reader first, then this command.`,
    )
  })
  const output = isPipe ? new Socket({ fd, readable: false }) : createWriteStream(path, { fd })
  // A failed write rejects at its call; without a listener its event would end the process first.
  return output.on('error', () => undefined)
}

async function listedStream(run: GetRun, output: Writable, { item: listed, name }: ListedDownload): Promise<Streamed> {
  const { context, request, sources, progress } = run
  const item: Item = { ...listed, path: name }
  const open = wholeSource(sources.source(request.server), request)
  const { segments, digest: digests } = context.config.settings
  const reading = { signal: context.signal, count: true, segments, digests, onProgress: progress(item) }
  const hash = hashFor(item, reading, false)
  try {
    const bytes = new Incoming(item, open, hash, 0, reading)
    for await (const chunk of bytes.passing()) await written(output, chunk, context.signal)
    return { name, ...(await bytes.judged()) }
  } finally {
    hash.close()
  }
}

async function answered(run: GetRun, output: Writable): Promise<Streamed> {
  const { context, api, request } = run
  const { signal } = context
  const { ref, server, guestbookResponse } = request
  await using download = await tryAgain(context, (first) =>
    request.ask(api, { signal, countDownload: first && request.count, guestbookResponse }),
  )
  const name = download.name ?? request.shown
  const item: Item = { n: 0, server, ref, path: name, expect: {} }
  const rate = new RateLimit(shareOf(context.config.settings.limitRate))
  const { body } = await limitedSource(answerSource(download), rate)(ref, 0, { signal, count: true })
  if (ref.kind === 'file') {
    const received = await pour(run, item, body, output)
    return { name, ...received, verified: download.size === undefined ? 'nothing' : 'size' }
  }
  const check = new ArchiveCheck(ref)
  const { passing, result } = tap(body, (bytes) => check.inspect(bytes, signal))
  const received = await pour(run, item, passing, output)
  const { note } = await result
  check.refuseIncomplete(name)
  return { name, ...received, verified: 'structure', note }
}

/** Writes, counts and hashes; asks for the next chunk once the last one is written. */
async function pour(
  { context, progress }: GetRun,
  item: Item,
  chunks: AsyncIterable<Uint8Array>,
  output: Writable,
): Promise<Received> {
  const hash = hashFor(item, { digests: context.config.settings.digest }, false)
  try {
    const meter = new Meter(hash, 0, undefined, progress(item))
    for await (const chunk of meter.through(chunks)) await written(output, chunk, context.signal)
    return await meter.result()
  } finally {
    hash.close()
  }
}

/** A reader that has stopped may never take the chunk: an abort does not wait for it. */
async function written(output: Writable, chunk: Uint8Array, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = (): void => resolve()
    signal.addEventListener('abort', stop, { once: true })
    output.write(chunk, (error) => {
      signal.removeEventListener('abort', stop)
      if (error) reject(outputError(error))
      else resolve()
    })
  })
  signal.throwIfAborted()
}

function outputError(error: unknown): Error {
  if (systemCode(error) === 'EPIPE') return new DataferryError('INTERRUPTED', 'nothing reads the output any more')
  const known = sinkError(error, 'write the output')
  return known instanceof Error ? known : new Error(messageOf(error))
}
