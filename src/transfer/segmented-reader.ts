import { setTimeout as sleep } from 'node:timers/promises'
import { DataferryError } from '../errors.ts'
import type { Ref } from '../model/item.ts'
import { StreamRevoked, type OpenSource } from '../model/source.ts'
import { Line } from './line.ts'
import { Change, Piece } from './piece.ts'
import { newIdentity, readFrom, type Identity, type ReadOptions } from './resuming-reader.ts'

/** Connections that one file may use. `auto`: up to four to a store, one to Dataverse itself. */
export type Segments = 'auto' | number

export interface SegmentOptions extends ReadOptions {
  readonly segments: Segments
  /** Bytes that may wait for their turn, and so what a crash costs. Default 64 MiB. */
  readonly ahead?: number | undefined
  /** Bytes for which one connection is enough. */
  readonly enough: number
  /** How long a further connection rests after it could not begin. Default one minute. */
  readonly restMs?: number | undefined
}

const AHEAD = 64 << 20
/** What is usually enough for one connection, in bytes. */
export const ENOUGH_FOR_ONE = 64 << 20
const REST_MS = 60_000
/** Connections of `auto`, and the least number of pieces that `ahead` is cut into. */
const AUTO = 4
/** Bytes that all files of this process together may have waiting. */
const MOST_WAITING = 2 * AHEAD
let waiting = 0

/** One of the connections, as it goes from piece to piece. */
interface Filler {
  /** It is beside the one that the file has. */
  readonly isSpare: boolean
  line: Line | undefined
}

/** A piece, and the connection that fills it now. */
interface Held {
  readonly piece: Piece
  filler: Filler | undefined
  /** Its share of `MOST_WAITING`. */
  readonly bytes: number
}

/**
 * Reads a file as `readFrom` does, over several connections where that helps: the file is cut into pieces, each connection
 * takes the next one, and bytes that arrive before their turn wait in memory. The caller sees them in order.
 *
 * The first connection is the file's own: it is opened like any other, its response decides whether there will be more, and
 * reading fails when it fails. Spare connections come and go as slots and server allow. Where one fails or has to make way,
 * what it delivered stays, and another continues there.
 */
export class SegmentedReader {
  readonly #open: OpenSource
  readonly #ref: Ref
  readonly #options: SegmentOptions
  readonly #identity: Identity
  readonly #change = new Change()
  readonly #stop = new AbortController()
  /** What was begun and not read to its end, in order: the first is the one that is read now. */
  readonly #held: Held[] = []
  #connections = 1
  /** The first byte that no piece has, and the first behind the last. */
  #next = 0
  #end = 0

  constructor(open: OpenSource, ref: Ref, options: SegmentOptions) {
    this.#open = open
    this.#ref = ref
    this.#options = options
    this.#identity = newIdentity(options.count)
  }

  /** Bytes that wait for their turn. */
  get ahead(): number {
    return this.#held.reduce((sum, { piece }) => sum + piece.kept, 0)
  }

  /** All bytes from an offset to the end, once; a chunk is valid until the next one is asked for. Rejects as `readFrom`. */
  async *read(from: number): AsyncGenerator<Uint8Array, void, undefined> {
    const own = this.#line('own', from, undefined)
    try {
      if (!(await own.begin())) return
      this.#connections = this.#worthFrom(from)
      if (this.#connections > 1) yield* this.#pieces(from, own)
      else for (let chunk = await own.next(Infinity); chunk; chunk = await own.next(Infinity)) yield chunk
    } finally {
      await own.close()
    }
  }

  #worthFrom(from: number): number {
    const { segments, enough } = this.#options
    const { size, link } = this.#identity
    if (size === undefined || size - from <= enough) return 1
    // Dataverse itself reads a range of some stores from the beginning of the file.
    return segments === 'auto' ? (link ? AUTO : 1) : segments
  }

  async *#pieces(from: number, own: Line): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal } = this.#options
    this.#next = from
    this.#end = this.#identity.size ?? from
    const fail = (error: unknown): void => this.#change.fail(error)
    const onAbort = (): void => fail(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const filling = [this.#fillOwn(own).catch(fail)]
    for (let more = 1; more < this.#connections; more++) filling.push(this.#fillSpare().catch(() => undefined))
    try {
      while (this.#held.length > 0 || this.#next < this.#end) {
        const [head] = this.#held
        if (head) {
          yield* head.piece.chunks()
          this.#release(this.#held.splice(0, 1))
        } else await this.#change.wait()
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      fail(new Error('The reader stopped.'))
      this.#stop.abort()
      await Promise.all(filling)
      this.#release(this.#held.splice(0))
    }
  }

  /** The file's own connection also takes over what others left, or have not begun. Rejects when it fails, or at the end. */
  async #fillOwn(line: Line): Promise<void> {
    const own: Filler = { isSpare: false, line }
    try {
      for (;;) {
        const held = await this.#take(own)
        const { at, to } = held.piece
        if (!own.line?.isAt(at)) {
          await own.line?.close()
          const isAlone = !this.#held.some(({ filler }) => filler?.isSpare && filler.line?.hasBegun)
          own.line = this.#line('own', at, isAlone ? undefined : to)
        }
        await this.#fill(held, own, own.line)
      }
    } finally {
      await own.line?.close()
    }
  }

  /** A further connection. Resolves when there is no use in trying again; rejects at the end. */
  async #fillSpare(): Promise<void> {
    const spare: Filler = { isSpare: true, line: undefined }
    for (;;) {
      const held = await this.#take(spare)
      if (held.filler !== spare) continue
      const line = (spare.line = this.#line('spare', held.piece.at, held.piece.to))
      const problem = await this.#fill(held, spare, line).then(
        () => undefined,
        (error: unknown) => ({ error }),
      )
      await line.close()
      spare.line = undefined
      this.#leave(held, spare)
      if (!problem || problem.error instanceof StreamRevoked || line.isStopped) continue
      if (!(problem.error instanceof DataferryError) || problem.error.remedy !== 'retry') return
      // It brought something: any other one may go on there at once.
      if (line.hasBegun) continue
      await sleep(this.#options.restMs ?? REST_MS, undefined, { signal: this.#stop.signal })
    }
  }

  /** Waits for a piece that nobody fills, or for room for another one. Rejects when the reading ends. */
  async #take(filler: Filler): Promise<Held> {
    for (;;) {
      const isFree = (other: Filler | undefined): boolean =>
        other === undefined || (!filler.isSpare && other.isSpare && !other.line?.hasBegun)
      const held = this.#held.find((one) => !one.piece.isFull && isFree(one.filler)) ?? this.#newPiece(filler)
      if (held) {
        held.filler?.line?.stop()
        held.filler = filler
        return held
      }
      await this.#change.wait()
    }
  }

  #newPiece({ isSpare }: Filler): Held | undefined {
    const { ahead = AHEAD } = this.#options
    const most = Math.max(AUTO, this.#connections)
    const size = Math.ceil(ahead / most)
    // A server that sends the bytes itself counts the download with the last of them, which the file's own connection brings.
    const end = isSpare && this.#identity.count !== false ? this.#end - 2 * size : this.#end
    if (this.#next >= end || this.#held.length > most) return undefined
    // The piece that is read now needs no memory.
    const bytes = this.#held.length === 0 ? 0 : size
    if (bytes > 0 && waiting + bytes > MOST_WAITING) return undefined
    waiting += bytes
    const to = Math.min(this.#next + size, this.#end)
    const held: Held = { piece: new Piece(this.#next, to, this.#change), filler: undefined, bytes }
    this.#next = to
    this.#held.push(held)
    this.#change.notify()
    return held
  }

  /** Fills a piece from a connection that stands where it goes on. Rejects also when it was given to another connection. */
  async #fill(held: Held, filler: Filler, line: Line): Promise<void> {
    const { piece } = held
    while (!piece.isFull) {
      const chunk = await line.next(piece.to - piece.at)
      if (held.filler !== filler) throw new Error('Another connection goes on here.')
      if (!chunk) throw new DataferryError('SHORT_BODY', `The answer ended at byte ${piece.at} of ${piece.to}.`)
      await piece.put(chunk)
    }
    this.#leave(held, filler)
    await line.finish()
  }

  #leave(held: Held, filler: Filler): void {
    if (held.filler === filler) held.filler = undefined
    this.#change.notify()
  }

  #line(who: 'own' | 'spare', from: number, to: number | undefined): Line {
    const spare = who === 'spare'
    const continuable = !spare && this.#options.continuable === true
    const read = (stop: AbortSignal) => {
      const signal = AbortSignal.any([this.#options.signal, this.#stop.signal, stop])
      const options = { ...this.#options, signal, to, spare, continuable, identity: this.#identity }
      return readFrom(this.#open, this.#ref, from, options)
    }
    return new Line(from, to, read)
  }

  #release(held: readonly Held[]): void {
    for (const { bytes } of held) waiting -= bytes
    this.#change.notify()
  }
}
