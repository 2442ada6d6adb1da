import pRetry from 'p-retry'
import { DataferryError } from '../errors.ts'
import type { Ref } from '../model/item.ts'
import { isAfterCounting, StreamRevoked, type OpenBody, type OpenSource, type StoreLink } from '../model/source.ts'

export interface ReadOptions {
  readonly signal: AbortSignal
  /** Expected length of the whole; undefined: unknown. A hint for judging answers, not a requirement. */
  readonly expectedSize: number | undefined
  readonly count: Counting
  /** Called when a server has counted the download with a link to a store. */
  readonly onCounted?: (() => void) | undefined
  /** Whether the stream may make way for others and continue later, since a published checksum will verify the whole. */
  readonly continuable?: boolean
  readonly reconnect: ReconnectOptions
  /** First byte that is not wanted; undefined: all to the end. */
  readonly to?: number | undefined
  /** As in `OpenOptions`: once begun, the reading ends when its connection breaks, or with `StreamRevoked` when others need its place. */
  readonly spare?: boolean
  /** Shared by all that read parts of the same file. Default: its own. */
  readonly identity?: Identity
}

/**
 * Whether the server should still count the download, once.
 * - `true`: no request has been made for it
 * - `if-unfinished`: a request was made but did not deliver the last byte. A server that hands out links to a store has counted it
 *   with the link, one that sends the bytes itself has not.
 * - `false`: it has been counted, or should not be
 */
export type Counting = boolean | 'if-unfinished'

/** How often and how soon a broken connection is retried within one attempt. */
export interface ReconnectOptions {
  /** Connections in a row that may bring no new byte; one more ends the attempt. */
  readonly retries: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
}

export const DEFAULT_RECONNECT: ReconnectOptions = { retries: 3, minDelayMs: 250, maxDelayMs: 4_000 }

/** A connection that brought something new, or ended properly. */
interface Connection {
  readonly first: IteratorResult<Uint8Array, void>
  readonly rest: AsyncGenerator<Uint8Array, void, undefined>
}

/** What every connection to one file must agree on, and what one may leave to the next. */
export interface Identity {
  size: number | undefined
  etag: string | undefined
  count: Counting
  /** To the store, for parts: one redirect serves them all while it works. */
  link: StoreLink | undefined
  /** False: the server ignored a range, so that a stream of it is not left for being slow, or for others. */
  ranges: boolean
}

export function newIdentity(count: Counting): Identity {
  return { size: undefined, etag: undefined, count, link: undefined, ranges: true }
}

/**
 * The bytes of `ref` from an offset to the end, or a little beyond `to`, reconnecting at the current offset when a connection breaks.
 * A chunk is valid until the next one is asked for. Rejects with the last error when more than `retries` connections in
 * a row brought no new byte, at once when a retry cannot help, and with `SOURCE_CHANGED` when size or validator
 * differ between two connections, since two halves of different files must never be joined. The server makes a new archive for
 * each request, so one that breaks is never resumed.
 */
export async function* readFrom(
  open: OpenSource,
  ref: Ref,
  from: number,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { identity = newIdentity(options.count) } = options
  let at = from
  // A range that starts at the very end is answered with an error, and there is nothing left to ask for.
  if (from > 0 && from === options.expectedSize) return
  for (;;) {
    const connection = await unlessRevoked(connect(open, ref, at, options, identity), options)
    if (!connection) continue
    const { first, rest } = connection
    try {
      for (let next = first; !next.done; next = await rest.next()) {
        at += next.value.byteLength
        yield next.value
      }
      checkEnd(at, options, identity)
      return
    } catch (error) {
      options.signal.throwIfAborted()
      // Reconnecting, it would wait for a slot and keep its part from connections that have one.
      if (options.spare) throw error
      if (ref.kind !== 'file' || !(isWorthReconnecting(error) || isRevoked(error, options))) throw error
    } finally {
      await rest.return()
    }
    if (at >= endOf(options, identity)) return
  }
}

/** @returns undefined for a stream that made way before its first byte: it is reopened when it has a slot */
async function unlessRevoked<T>(connection: Promise<T>, options: ReadOptions): Promise<T | undefined> {
  try {
    return await connection
  } catch (error) {
    options.signal.throwIfAborted()
    if (isRevoked(error, options)) return undefined
    throw error
  }
}

/** Opens the source and waits for its first new bytes, so that connections without any count as failures in a row. */
async function connect(
  open: OpenSource,
  ref: Ref,
  at: number,
  options: ReadOptions,
  identity: Identity,
): Promise<Connection> {
  const { retries, minDelayMs, maxDelayMs } = options.reconnect
  let opened: Connection | undefined
  const attempt = async (): Promise<Connection> => {
    const body = await openCounted(open, ref, at, options, identity)
    const chunks = body.body[Symbol.asyncIterator]()
    try {
      // Before anything else: abandoning a body that was never read from would not close its connection.
      const begun = await chunks.next()
      checkIdentity(body, at, identity)
      if (options.spare && body.from < at) throw noRanges()
      const rest = surplusDropped(begun, chunks, at - body.from)
      const first = await rest.next()
      if (first.done) checkEnd(at, options, identity)
      return (opened = { first, rest })
    } catch (error) {
      await chunks.return?.()
      throw error
    }
  }
  try {
    return await pRetry(attempt, {
      retries,
      minTimeout: minDelayMs,
      maxTimeout: maxDelayMs,
      randomize: true,
      signal: options.signal,
      shouldRetry: ({ error }) => isWorthReconnecting(error),
    })
  } catch (error) {
    // Of a signal that aborts the moment a connection is there: it is closed all the same, and its slot given back.
    await opened?.rest.return()
    throw error
  }
}

/** Opens the source so that exactly one of its requests is counted: that for a link, else the one that delivers the last byte. */
async function openCounted(
  open: OpenSource,
  ref: Ref,
  at: number,
  options: ReadOptions,
  identity: Identity,
): Promise<OpenBody> {
  const expectedSize = identity.size ?? options.expectedSize
  const { signal, spare = false, to } = options
  const continuable = options.continuable === true && identity.ranges
  const link = options.identity?.link
  // Of the parts of a file the one with its last byte is counted, by a server that sends the bytes itself.
  const isCounted = !spare && (to === undefined || to === identity.size)
  const ask = (count: boolean) =>
    open(ref, at, {
      signal,
      continuable,
      spare,
      count: count && isCounted,
      ...(to !== undefined && { to }),
      ...(link && { link }),
      ...(expectedSize !== undefined && { expectedSize }),
    })
  const wasCounted = (): void => {
    // A request that was kept out of the count says nothing, unless an earlier one has been made.
    if (identity.count === false || (identity.count === true && !isCounted)) return
    identity.count = false
    options.onCounted?.()
  }
  const body = await ask(identity.count === true).catch((error: unknown) => {
    if (isAfterCounting(error)) wasCounted()
    // It may have expired: the next connection asks for another one.
    if (error instanceof DataferryError && identity.link === link) identity.link = undefined
    throw error
  })
  identity.link = body.link
  if (body.counted) wasCounted()
  if (identity.count !== 'if-unfinished') return body
  await leave(body)
  identity.count = true
  return ask(true)
}

/** Closes a connection whose bytes are not needed: only a body that has been read from can be abandoned. */
async function leave({ body }: OpenBody): Promise<void> {
  const chunks = body[Symbol.asyncIterator]()
  await chunks.next().catch(() => undefined)
  await chunks.return?.()
}

function checkIdentity(body: OpenBody, at: number, identity: Identity): void {
  if (body.from > at) {
    throw new DataferryError(
      'SOURCE_UNEXPECTED',
      `The server answered from byte ${body.from} when asked for byte ${at}.`,
    )
  }
  if (identity.size !== undefined && body.size !== undefined && body.size !== identity.size) {
    throw new DataferryError(
      'SOURCE_CHANGED',
      `The size changed from ${identity.size} to ${body.size} between requests.`,
    )
  }
  if (identity.etag !== undefined && body.etag !== undefined && body.etag !== identity.etag) {
    throw new DataferryError('SOURCE_CHANGED', 'The validator (ETag) changed between requests.')
  }
  identity.size ??= body.size
  identity.etag ??= body.etag
  if (body.from < at) identity.ranges = false
}

/** Where reading ends, as far as that is known. */
function endOf({ to = Infinity }: Pick<ReadOptions, 'to'>, { size = Infinity }: Identity): number {
  return Math.min(to, size)
}

function checkEnd(at: number, options: ReadOptions, identity: Identity): void {
  const end = endOf(options, identity)
  if (end !== Infinity && at < end) {
    throw new DataferryError('SHORT_BODY', `The answer ended at byte ${at} of ${end}.`)
  }
}

/** Others read what comes before: a server that sends all of it again is of no use to them. */
function noRanges(): DataferryError {
  return new DataferryError('SOURCE_REJECTED', 'The server sends the whole file when it is asked for a part.')
}

/** A server that ignores a range starts earlier than requested: skips the bytes that are already there. */
async function* surplusDropped(
  begun: IteratorResult<Uint8Array>,
  chunks: AsyncIterator<Uint8Array>,
  surplus: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let left = surplus
  try {
    for (let next = begun; !next.done; next = await chunks.next()) {
      const chunk = next.value
      const skipped = Math.min(left, chunk.byteLength)
      left -= skipped
      if (skipped < chunk.byteLength) yield skipped > 0 ? chunk.subarray(skipped) : chunk
    }
  } finally {
    await chunks.return?.()
  }
  if (left > 0)
    throw new DataferryError('SHORT_BODY', `The response ended ${left} bytes before the byte to continue from.`)
}

function isRevoked(error: unknown, { continuable }: ReadOptions): boolean {
  return continuable === true && error instanceof StreamRevoked
}

function isWorthReconnecting(error: unknown): boolean {
  return error instanceof DataferryError && error.remedy === 'retry'
}
