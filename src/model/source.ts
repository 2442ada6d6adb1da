import type { AnsweredGuestbook } from './guestbook.ts'
import type { Ref } from './item.ts'

/** The answer of a source: bytes from an offset on. */
export interface OpenBody {
  /**
   * The bytes, in order. A chunk is valid until the next one is asked for: copy what must live longer.
   * The caller reads to the end or leaves the loop, which closes the connection. Rejects with `DataferryError`
   * (`SOURCE_UNREACHABLE`, `SHORT_BODY`) when the connection breaks or idles.
   */
  readonly body: AsyncIterable<Uint8Array>
  /** Offset of the first byte, as the server says: 0 when it ignored the range. */
  readonly from: number
  /** Bytes in the whole, not in this part; undefined when the server does not say. */
  readonly size: number | undefined
  /** Strong validators only. */
  readonly etag: string | undefined
  readonly contentType: string | undefined
  /** The encoding that the server declares for these bytes, unrequested; undefined: none. */
  readonly encoding: string | undefined
  /**
   * The server has counted the download, as it does when it hands out a link to a store. A server that sends the
   * bytes itself counts only once it has sent the last of them.
   */
  readonly counted: boolean
  /** Where a store sent the bytes: what leads straight there again. Absent: the server sent them itself. */
  readonly link?: StoreLink | undefined
  /** A guestbook was answered for these bytes. */
  readonly answered?: AnsweredGuestbook
}

/** A link to a store that a server handed out, kept by its source: it is a secret, and works for a while only. */
export type StoreLink = object

export interface OpenOptions {
  readonly signal: AbortSignal
  /** First byte that is not wanted; left out: all to the end. The server may send more. */
  readonly to?: number | undefined
  /** Ask the store that an earlier answer about the same bytes came from, without asking the server again. */
  readonly link?: StoreLink | undefined
  /**
   * A stream beside the one that the file has: it is opened only while nobody else needs its place, and makes way with
   * `StreamRevoked`.
   */
  readonly spare?: boolean
  /**
   * Whether the stream may be closed at any byte and gone on with there: then it makes way for others, and a connection
   * that brings next to nothing is given up. Any other stream would lose what has come for certain, and may be slow for a
   * reason: a ZIP of tiny files brings little a second however well it goes.
   */
  readonly continuable?: boolean
  /** False keeps the request out of the server's download count (`gbrecs=true`). */
  readonly count: boolean
  /** Ask for the tabular bytes without their header line: the form that some legacy checksums describe. */
  readonly headerless?: boolean
  /**
   * What to do with an answer that declares an unrequested `Content-Encoding`: hand
   * out the bytes as they were sent, or decoded, from byte 0 on. Default: refuse it with `SOURCE_UNEXPECTED`.
   */
  readonly encoded?: 'as-sent' | 'decoded'
  /** Bytes in the whole as far as known: helps to judge a server that answers a range with status 200. */
  readonly expectedSize?: number
  /** The listed content type: a web page is accepted as the file only if it should be one. */
  readonly expectedContentType?: string
}

/**
 * Opens `ref` near byte `from`: a plain request when `from` is 0 and no end is given, else one with a `Range`.
 * Never retries. Rejects with a `DataferryError` of group `source`, or the signal's reason.
 */
export type OpenSource = (ref: Ref, from: number, options: OpenOptions) => Promise<OpenBody>

const counted = new WeakSet<Error>()

/** Marks an error that came after the server had counted the download: it handed out a link, and the store failed. */
export function afterCounting<T>(error: T): T {
  if (error instanceof Error) counted.add(error)
  return error
}

export function isAfterCounting(error: unknown): boolean {
  return error instanceof Error && counted.has(error)
}

/**
 * A stream was closed so that others get their share of a server. Nothing is wrong: its reader reopens it at the same
 * byte once it has a slot again.
 */
export class StreamRevoked extends Error {
  override readonly name = 'StreamRevoked'
}
