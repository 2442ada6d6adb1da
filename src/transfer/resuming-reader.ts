import pRetry from 'p-retry'
import { DataferryError } from '../errors.ts'
import type { Ref } from '../model/item.ts'
import type { OpenBody, OpenSource } from '../model/source.ts'

export interface ReadOptions {
  readonly signal: AbortSignal
  /** Bytes that are expected in the whole; undefined: unknown. A hint for judging answers, not a promise. */
  readonly expectedSize: number | undefined
  /** False when an earlier attempt's request was counted as a download already. */
  readonly count: boolean
  readonly reconnect: ReconnectOptions
}

/** How often and how fast a broken connection is tried again within one attempt. */
export interface ReconnectOptions {
  /** Failures in a row, without a byte between them, that end the attempt. */
  readonly retries: number
  readonly minDelayMs: number
  readonly maxDelayMs: number
}

export const DEFAULT_RECONNECT: ReconnectOptions = { retries: 3, minDelayMs: 250, maxDelayMs: 4_000 }

/** The part of the source that is being read, and what is known about the whole. */
interface Connection {
  readonly body: OpenBody
  readonly chunks: AsyncIterator<Uint8Array>
  readonly first: IteratorResult<Uint8Array>
}

/** What every connection to one source must agree on. */
interface Identity {
  size: number | undefined
  etag: string | undefined
}

/**
 * The bytes of `ref` from an offset to the end, reconnecting at the current offset when a connection breaks.
 * A chunk is valid until the next one is asked for. Rejects with the last error when `retries` connections in a row
 * brought no byte, at once when trying again cannot help, and with `SOURCE_CHANGED` when size or validator differ
 * between two connections, since two halves of different files must never be joined.
 */
export async function* readFrom(
  open: OpenSource,
  ref: Ref,
  from: number,
  options: ReadOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const identity: Identity = { size: undefined, etag: undefined }
  let at = from
  let count = options.count
  // A range that starts at the very end is answered with an error, and there is nothing left to ask for.
  if (from > 0 && from === options.expectedSize) return
  for (;;) {
    const connection = await connect(open, ref, at, { ...options, count }, identity)
    count = false
    try {
      for await (const chunk of surplusDropped(connection, at)) {
        at += chunk.byteLength
        yield chunk
      }
      if (identity.size === undefined || at >= identity.size) return
      throw new DataferryError('SHORT_BODY', `The answer ended at byte ${at} of ${identity.size}.`)
    } catch (error) {
      options.signal.throwIfAborted()
      if (!isWorthReconnecting(error)) throw error
    }
    if (identity.size !== undefined && at >= identity.size) return
  }
}

/** Opens the source and waits for its first bytes, so that connections without any count as failures in a row. */
async function connect(
  open: OpenSource,
  ref: Ref,
  at: number,
  options: ReadOptions,
  identity: Identity,
): Promise<Connection> {
  const { retries, minDelayMs, maxDelayMs } = options.reconnect
  const attempt = async (): Promise<Connection> => {
    const expectedSize = identity.size ?? options.expectedSize
    const body = await open(ref, at, {
      signal: options.signal,
      count: options.count,
      ...(expectedSize !== undefined && { expectedSize }),
    })
    const chunks = body.body[Symbol.asyncIterator]()
    try {
      checkIdentity(body, at, identity)
      return { body, chunks, first: await chunks.next() }
    } catch (error) {
      await chunks.return?.()
      throw error
    }
  }
  return pRetry(attempt, {
    retries,
    minTimeout: minDelayMs,
    maxTimeout: maxDelayMs,
    randomize: true,
    signal: options.signal,
    shouldRetry: ({ error }) => isWorthReconnecting(error),
  })
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
}

/** A server that ignores a range starts earlier than asked: what is there already is read past. */
async function* surplusDropped({ body, chunks, first }: Connection, at: number): AsyncGenerator<Uint8Array> {
  let surplus = at - body.from
  try {
    for (let next = first; !next.done; next = await chunks.next()) {
      const chunk = next.value
      if (surplus >= chunk.byteLength) {
        surplus -= chunk.byteLength
        continue
      }
      yield surplus > 0 ? chunk.subarray(surplus) : chunk
      surplus = 0
    }
  } finally {
    await chunks.return?.()
  }
}

function isWorthReconnecting(error: unknown): boolean {
  return error instanceof DataferryError && error.remedy === 'retry'
}
