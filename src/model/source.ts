import type { Ref } from './item.ts'

/** What a source answered: bytes from an offset on. */
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
  /** What the server says that these bytes are encoded with, against the request; undefined: nothing. */
  readonly encoding: string | undefined
  /**
   * The download is in the server's count now, as it is when a link to a store was handed out. A server that sends the
   * bytes itself counts when the last of them is sent, and never if it does not come to that.
   */
  readonly counted: boolean
  /** Where a store sent the bytes: what leads straight there again. Absent: the server sent them itself. */
  readonly link?: StoreLink | undefined
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
   * What to do with an answer whose bytes are said to be encoded (`Content-Encoding`), though nobody asked for that: hand
   * them out as they were sent, or decoded, from byte 0 on. Left out: it is refused, with `SOURCE_UNEXPECTED`.
   */
  readonly encoded?: 'as-sent' | 'decoded'
  /** Bytes in the whole as far as known: helps to judge a server that answers a range with status 200. */
  readonly expectedSize?: number
  /** What a listing says of the file: a web page is taken for the file only when it should be one. */
  readonly expectedContentType?: string
}

/**
 * Opens `ref` near byte `from`: a plain request when `from` is 0 and no end is given, else one with a `Range`.
 * Never retries. Rejects with a `DataferryError` of group `source`, or the signal's reason.
 */
export type OpenSource = (ref: Ref, from: number, options: OpenOptions) => Promise<OpenBody>

/**
 * A stream was closed so that others get their share of a server. Nothing is wrong: its reader opens it again at the same
 * place, and waits there until it is its turn.
 */
export class StreamRevoked extends Error {
  override readonly name = 'StreamRevoked'
}
