import { GroupCommit } from '../../async/group-commit.ts'
import { DataferryError } from '../../errors.ts'
import { bodyOf, bytesOf, type Bucket, type Encryption } from './bucket.ts'
import type { RecordLog } from '../sink.ts'

/** A segment is rewritten with what is appended until it has this many bytes; then the next one begins. */
const SEGMENT_BYTES = 64 << 10
const DIGITS = 16
const SEGMENT = new RegExp(`^(.+)/\\d{${DIGITS}}$`)

interface Segment {
  readonly key: string
  /** Offset of its first byte in the log. */
  readonly start: number
  readonly size: number
}

/** The name of the log that a segment belongs to; undefined for other names. */
export function logOf(name: string): string | undefined {
  return SEGMENT.exec(name)?.[1]
}

/**
 * One log as objects `<log>/<offset of the first byte>`, since objects cannot be appended to. Segments count from offset 0
 * up to the first gap; the last one is replaced by a longer one until it is large enough, so that many small
 * appends do not become many small objects, and a write whose answer was lost is repaired by the next.
 */
export class SegmentedLog {
  readonly #bucket: Bucket
  readonly #prefix: string
  readonly #encryption: Encryption
  /** As of the last listing: may be shorter than the log is by now, but never wrong. */
  #known: readonly Segment[] = []

  /** @param key object key of the log, without a slash at the end */
  constructor(bucket: Bucket, key: string, encryption: Encryption) {
    this.#bucket = bucket
    this.#prefix = `${key}/`
    this.#encryption = encryption
  }

  /** Bytes `from` … `to` − 1, or fewer. Lists the segments only if the range goes beyond what is known. */
  async read(from: number, to: number): Promise<Uint8Array> {
    if (to <= from) return new Uint8Array()
    if (to > endOf(this.#known)) await this.#list()
    return (await this.#gather(from, to)) ?? (await this.#list(), await this.#gather(from, to)) ?? new Uint8Array()
  }

  async *stream(from: number): AsyncGenerator<Uint8Array> {
    for (const { key, start, size } of await this.#list()) {
      if (start + size <= from) continue
      const found = await this.#bucket.get(key, { from: Math.max(0, from - start), to: size - 1 })
      if (found) yield* bodyOf(this.#bucket, key, found)
    }
  }

  /** Whether the log exists. */
  async exists(): Promise<boolean> {
    return (await this.#list()).length > 0
  }

  /**
   * Cuts to `length`, removes what lies beyond a gap, and opens for appending. One writer at a time.
   * Rejects with `SINK_FAILED` when it is shorter.
   * @param onClose called when the writer is closed
   */
  async open(length: number | undefined, onClose: () => void): Promise<RecordLog> {
    const all = await this.#objects()
    const valid = withoutGaps(all)
    const end = length ?? endOf(valid)
    if (end > endOf(valid))
      throw new DataferryError(
        'SINK_FAILED',
        `${this.#prefix} has ${endOf(valid)} bytes, but should be cut to ${end}: some are lost.`,
      )
    // From the end, so that a crash in between leaves a valid log.
    for (const { key } of all.filter(({ start }) => start >= end).reverse()) await this.#bucket.delete(key)
    const last = valid.findLast(({ start }) => start < end)
    this.#known = []
    const head = last && last.start + last.size > end ? await this.#cut(last, end) : await this.#openLast(last)
    const place = { bucket: this.#bucket, prefix: this.#prefix, encryption: this.#encryption, onClose }
    return new SegmentWriter(place, head ?? { start: last === undefined ? 0 : end, content: Buffer.alloc(0) })
  }

  async remove(): Promise<void> {
    for (const { key } of (await this.#objects()).reverse()) await this.#bucket.delete(key)
    this.#known = []
  }

  async #cut({ key, start }: Segment, end: number): Promise<OpenSegment> {
    const found = await this.#bucket.get(key, { from: 0, to: end - start - 1 })
    const content = found ? await bytesOf(found) : Buffer.alloc(0)
    await this.#bucket.put(key, content, { headers: this.#encryption })
    return { start, content }
  }

  async #openLast(last: Segment | undefined): Promise<OpenSegment | undefined> {
    if (!last || last.size >= SEGMENT_BYTES) return undefined
    const found = await this.#bucket.get(last.key)
    return found && { start: last.start, content: await bytesOf(found) }
  }

  /** @returns undefined when a segment no longer exists: the list is out of date. */
  async #gather(from: number, to: number): Promise<Uint8Array | undefined> {
    const pieces: Uint8Array[] = []
    for (const { key, start, size } of this.#known) {
      if (start + size <= from || start >= to) continue
      const range = { from: Math.max(0, from - start), to: Math.min(size, to - start) - 1 }
      const found = await this.#bucket.get(key, range)
      if (!found) return undefined
      pieces.push(await bytesOf(found))
    }
    return Buffer.concat(pieces)
  }

  async #list(): Promise<readonly Segment[]> {
    return (this.#known = withoutGaps(await this.#objects()))
  }

  async #objects(): Promise<Segment[]> {
    const segments: Segment[] = []
    for await (const { key, size } of this.#bucket.list(this.#prefix))
      if (logOf(key) === this.#prefix.slice(0, -1)) segments.push({ key, size, start: Number(key.slice(-DIGITS)) })
    return segments.sort((a, b) => a.start - b.start)
  }
}

interface OpenSegment {
  readonly start: number
  readonly content: Buffer
}

interface WriterPlace {
  readonly bucket: Bucket
  readonly prefix: string
  readonly encryption: Encryption
  readonly onClose: () => void
}

/** Writes a log with group commit: one object for everything appended meanwhile. */
class SegmentWriter implements RecordLog {
  readonly #place: WriterPlace
  readonly #commits = new GroupCommit<Uint8Array>((group) => this.#write(Buffer.concat(group)))
  #segment: OpenSegment
  #closed = false

  constructor(place: WriterPlace, segment: OpenSegment) {
    this.#place = place
    this.#segment = segment
  }

  get length(): number {
    return this.#segment.start + this.#segment.content.length
  }

  async append(data: string | Uint8Array): Promise<void> {
    if (this.#closed)
      throw new DataferryError('SINK_FAILED', `${this.#place.prefix} is closed: nothing can be appended.`)
    // Copied: the caller may reuse its buffer while this waits.
    await this.#commits.add(Buffer.from(data))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#commits.idle()
    this.#place.onClose()
  }

  async #write(added: Uint8Array): Promise<void> {
    const { start, content } = this.#segment
    const whole = Buffer.concat([content, added])
    const { bucket, prefix, encryption } = this.#place
    await bucket.put(`${prefix}${String(start).padStart(DIGITS, '0')}`, whole, { headers: encryption })
    const full = whole.length >= SEGMENT_BYTES
    this.#segment = full ? { start: start + whole.length, content: Buffer.alloc(0) } : { start, content: whole }
  }
}

function withoutGaps(segments: readonly Segment[]): Segment[] {
  const valid: Segment[] = []
  for (const segment of segments) if (segment.start === endOf(valid)) valid.push(segment)
  return valid
}

function endOf(segments: readonly Segment[]): number {
  const last = segments.at(-1)
  return last ? last.start + last.size : 0
}
