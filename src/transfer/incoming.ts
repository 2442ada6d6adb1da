import { DataferryError } from '../errors.ts'
import type { Algorithm } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'
import type { AnsweredGuestbook } from '../model/guestbook.ts'
import type { Item } from '../model/item.ts'
import type { Receipt } from '../model/receipt.ts'
import type { OpenOptions, OpenSource } from '../model/source.ts'
import type { Sink } from '../sinks/sink.ts'
import { createHash } from './hash.ts'
import { Meter, type Received } from './meter.ts'
import {
  DEFAULT_RECONNECT,
  readFrom,
  type Counting,
  type ReadOptions,
  type ReconnectOptions,
} from './resuming-reader.ts'
import { ENOUGH_FOR_ONE, SegmentedReader, type Segments } from './segmented-reader.ts'
import { judge, type Accepted } from './verify.ts'

/** How one attempt at an item reads. */
export interface Reading {
  readonly signal: AbortSignal
  readonly count: Counting
  /** Called once the server has counted the download, as far as can be known; maybe more than once. */
  readonly onCounted?: (() => void) | undefined
  readonly reconnect?: ReconnectOptions
  /** Default one connection. */
  readonly segments?: Segments
  /** See `SegmentOptions`. */
  readonly ahead?: number | undefined
  readonly enough?: number | undefined
  /** Taken in the same pass, besides the checksum that verifies the bytes. */
  readonly digests?: readonly Algorithm[] | undefined
  /** Called with the bytes so far, those of earlier attempts included. */
  readonly onProgress?: (bytes: number) => void
  /** Most bytes accepted when neither listing nor server says how many; undefined: any number. */
  readonly room?: number | undefined
}

/** The hash that an item is verified by, with the further digests that are wanted; the caller closes it. */
export function hashFor({ expect }: Item, { digests }: Pick<Reading, 'digests'>, saveable: boolean): Hash {
  return createHash({ algorithm: expect.checksum?.algorithm ?? 'sha256', digests, size: expect.size, saveable })
}

/** The incoming bytes of one item: resumed when a connection breaks, counted, hashed, and verified at their end. */
export class Incoming {
  readonly #item: Item
  readonly #open: OpenSource
  readonly #from: number
  readonly #reading: Reading
  readonly #meter: Meter
  /** What the server announced, for items whose listing promises no size. */
  #servedSize: number | undefined
  /** The server declared the bytes to be encoded. */
  #encoded = false
  #answered: AnsweredGuestbook | undefined
  #ended = false
  readonly #form: NonNullable<OpenOptions['encoded']>
  #segmented: SegmentedReader | undefined

  /**
   * @param hash has seen the `from` bytes that an earlier attempt kept
   * @param form how to take encoded bytes, if there is something to verify them by
   */
  constructor(
    item: Item,
    open: OpenSource,
    hash: Hash,
    from: number,
    reading: Reading,
    form: NonNullable<OpenOptions['encoded']> = 'as-sent',
  ) {
    this.#item = item
    this.#from = from
    this.#reading = reading
    this.#form = form
    const { onProgress } = reading
    const told = onProgress && ((bytes: number) => onProgress(bytes + (this.#segmented?.ahead ?? 0)))
    this.#meter = new Meter(hash, from, (bytes) => this.#refuseTooMany(bytes), told)
    this.#open = async (ref, at, options) => {
      const { checksum, size } = item.expect
      const body = await open(ref, at, checksum || size !== undefined ? { ...options, encoded: form } : options)
      if (!options.headerless) this.#servedSize ??= body.size
      this.#encoded ||= body.encoding !== undefined
      this.#answered = body.answered ?? this.#answered
      return body
    }
  }

  /** The chunks, once; each is valid until the next one is asked for. Rejects as `readFrom`, and with `LONG_BODY` or `ENDLESS_BODY`. */
  passing(): AsyncGenerator<Uint8Array, void, undefined> {
    const {
      signal,
      onCounted,
      reconnect = DEFAULT_RECONNECT,
      segments = 1,
      ahead,
      enough = ENOUGH_FOR_ONE,
    } = this.#reading
    // Kept bytes came with a request that did not finish.
    const count = this.#from === 0 ? this.#reading.count : this.#reading.count && 'if-unfinished'
    const { size: expectedSize, checksum } = this.#item.expect
    const continuable = checksum !== undefined
    const reading: ReadOptions = { signal, expectedSize, count, onCounted, continuable, reconnect }
    const isWorthMore = continuable && this.#form === 'as-sent' && (expectedSize ?? Infinity) > enough
    if (segments === 1 || !isWorthMore)
      return this.#meter.through(readFrom(this.#open, this.#item.ref, this.#from, reading))
    this.#segmented = new SegmentedReader(this.#open, this.#item.ref, { ...reading, segments, ahead, enough })
    return this.#meter.through(this.#segmented.read(this.#from))
  }

  #refuseTooMany(bytes: number): void {
    const limit = limitOf(this.#item)
    if (limit === undefined) {
      if (this.#servedSize === undefined) refuseEndless(bytes - this.#from, this.#reading.room)
    } else if (bytes > limit) throw new DataferryError('LONG_BODY', `More than the promised ${limit} bytes arrived.`)
  }

  /** Whether an error of `passing` or `judged` may mean that these bytes are an encoded form of the right ones. */
  mayBeEncoded(error: unknown): error is DataferryError {
    if (!this.#encoded || !(error instanceof DataferryError)) return false
    // Until everything has arrived, a short body is one that broke off.
    return error.code === 'LONG_BODY' || (this.#ended && ['CHECKSUM_MISMATCH', 'SHORT_BODY'].includes(error.code))
  }

  /** What was received, after the last byte. Rejects as `judge`. */
  async judged(): Promise<Received & Accepted & Pick<Receipt, 'guestbook'>> {
    this.#ended = true
    if (this.#reading.count !== false) this.#reading.onCounted?.()
    const received = await this.#meter.result()
    const served = { open: this.#open, size: this.#servedSize }
    const judged = { ...received, ...(await judge(this.#item, received, served, this.#reading.signal)) }
    return { ...judged, ...(this.#answered && { guestbook: this.#answered }) }
  }
}

/**
 * Without a checksum the size must match; with one, a listed size may be wrong, but not by that much. A size that only the
 * manifest gives is checked at the end.
 */
function limitOf({ expect }: Item): number | undefined {
  if (expect.size === undefined || expect.own?.includes('size')) return undefined
  return expect.checksum ? expect.size * 2 + (64 << 20) : expect.size
}

/** The share of free space that a body of unknown length may take, so that others have room meanwhile. */
const SHARE = 0.9

/** Most bytes accepted when nothing says how many; undefined if something does, or if any number fits. */
export async function roomFor({ expect }: Item, sink: Sink): Promise<number | undefined> {
  if (expect.size !== undefined && !expect.own?.includes('size')) return undefined
  const free = await sink.free()
  return free === undefined ? undefined : Math.floor(free * SHARE)
}

/** Throws `ENDLESS_BODY` when more bytes arrive than there is room for. */
export function refuseEndless(bytes: number, room: number | undefined): void {
  if (room === undefined || bytes <= room) return
  const message = `${bytes} bytes arrived and more follow, although nothing says how many; there was room for ${room}.`
  throw new DataferryError('ENDLESS_BODY', message)
}
