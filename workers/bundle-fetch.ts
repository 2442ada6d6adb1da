import { setMaxListeners } from 'node:events'
import { tmpdir } from 'node:os'
import { eachConcurrently } from '../src/async/each-concurrently.ts'
import { holdEntry, type HeldEntry } from '../src/archive/hold-entry.ts'
import { limitsFor } from '../src/archive/limits.ts'
import { bundleMatcher, type BundleMatcher, type Match } from '../src/archive/match-entry.ts'
import { readEntries, type StreamedEntry } from '../src/archive/read-entries.ts'
import { DataferryError } from '../src/errors.ts'
import type { AnsweredGuestbook } from '../src/model/guestbook.ts'
import type { DigestAlgorithm } from '../src/model/checksum.ts'
import type { Item } from '../src/model/item.ts'
import { itemKey } from '../src/model/item-key.ts'
import type { Receipt } from '../src/model/receipt.ts'
import type { OpenSource } from '../src/model/source.ts'
import { keepExisting } from '../src/transfer/existing.ts'
import { commitWhole, transfer } from '../src/transfer/transfer.ts'
import type { OpenBatch } from './batches.ts'
import type { Task } from './running.ts'

/** Entries written at the same time: most of that is waiting for the disk or the object store. */
const WRITES = 8
/** Most bytes of one entry held in memory; a longer one goes to a scratch file. */
const HELD_BYTES = 4 << 20

/** An item that arrived, and its bytes. */
interface Found {
  readonly match: Match
  readonly held: HeldEntry
}

/** Items that travel together; each has its own outcome. */
export class BundleFetch {
  readonly #opened: OpenBatch
  readonly #task: Task
  readonly #open: Map<number, Item>
  readonly #settling: Promise<void>[] = []
  /** The server began to send the ZIP. */
  begun = false
  #counted = false
  #answered: AnsweredGuestbook | undefined
  /** Bytes of entries that have arrived and are not settled yet. */
  #inHand = 0

  constructor(items: readonly Item[], opened: OpenBatch, task: Task) {
    this.#open = new Map(items.map((item) => [item.n, item]))
    this.#opened = opened
    this.#task = task
    // Every write adds a few listeners; Node.js warns of a leak from eleven on.
    setMaxListeners(8 * WRITES, task.signal)
  }

  get #digests(): readonly DigestAlgorithm[] {
    return this.#opened.batch.digests ?? []
  }

  /** Items that have not ended. */
  left(): readonly Item[] {
    return [...this.#open.values()]
  }

  /** Whether the server has counted every item: it counts each as it reaches it in the ZIP. */
  get counted(): { readonly counted?: true } {
    return this.#counted ? { counted: true } : {}
  }

  /** Settles what is already at the destination. @returns what must be fetched; an item in doubt is left to be fetched individually */
  async keepExisting(): Promise<readonly Item[]> {
    const { sink, batch, earlier } = this.#opened
    const { signal } = this.#task
    const find = (one: Item) => earlier.find(one)
    const missing: Item[] = []
    await this.#settled(
      eachConcurrently(this.left(), WRITES, async (item) => {
        signal.throwIfAborted()
        const place = {
          key: itemKey(batch.id, item.n),
          policy: batch.existing,
          digests: batch.digests,
          earlier: find,
          signal,
        }
        const kept = await leftToGoIndividually(keepExisting(item, sink, place))
        if (!kept) missing.push(item)
        else if (kept !== 'individually') this.#settle(kept, item)
      }),
    )
    return missing.sort((a, b) => a.n - b.n)
  }

  /**
   * Requests one ZIP and settles every item in it. Rejects when the ZIP breaks off or is damaged, with
   * everything before that settled, and with errors that concern the whole destination.
   * @returns how many items it held
   */
  async fetch(missing: readonly Item[], open: OpenSource, count: boolean): Promise<number> {
    const { signal } = this.#task
    const files = missing.flatMap(({ ref }) => (ref.kind === 'file' && typeof ref.file === 'number' ? [ref.file] : []))
    const format = missing[0]?.ref.kind === 'file' ? missing[0].ref.format : 'original'
    const { body, answered } = await open({ kind: 'zip', files, format }, 0, { signal, count })
    this.#answered = answered
    this.begun = true
    const bytes = missing.reduce((sum, { expect, listedSize }) => sum + (expect.size ?? listedSize ?? 0), 0)
    const entries = readEntries(body, limitsFor({ files: files.length, bytes }))
    let found = 0
    await this.#settled(
      eachConcurrently(this.#matches(entries, bundleMatcher(missing)), WRITES, async ({ match, held }) => {
        found++
        await this.#write(match, held)
      }),
    )
    return found
  }

  /** The entries that are items, each held so that those after it need not wait. */
  async *#matches(entries: AsyncIterable<StreamedEntry>, matcher: BundleMatcher): AsyncGenerator<Found> {
    const algorithms = [...new Set([...matcher.algorithms, ...this.#digests])]
    const hold = { algorithms, memory: HELD_BYTES, scratch: tmpdir() }
    for await (const entry of entries) {
      this.#task.signal.throwIfAborted()
      const held = await unlessDamaged(holdEntry(upTo(entry.open(), matcher.largest ?? Infinity), hold))
      const match = held && claim(matcher, entry, held)
      if (match) {
        this.#progress(held.size)
        yield { match, held }
      } else await held?.[Symbol.asyncDispose]()
    }
    this.#counted = true
  }

  /** Exactly as if it had been fetched alone. */
  async #write({ item, verified, note }: Match, held: HeldEntry): Promise<void> {
    const { sink } = this.#opened
    await using bytes = held
    const run = { key: itemKey(this.#opened.batch.id, item.n), signal: this.#task.signal }
    const { size, chunks } = bytes
    const verifying = item.expect.checksum?.algorithm ?? 'sha256'
    const checksum = bytes.checksums.find(({ algorithm }) => algorithm === verifying)
    const digests = bytes.checksums.filter(
      ({ algorithm }) => algorithm !== verifying && this.#digests.some((wanted) => wanted === algorithm),
    )
    const guestbook = this.#answered
    const proof = { size, verified, ...(note !== undefined && { note }), ...(guestbook && { guestbook }) }
    const receipt = await leftToGoIndividually(
      chunks && checksum
        ? commitWhole(item, { ...proof, chunks, checksum, digests }, sink, run)
        : this.#transferHeld(item, bytes, proof),
    )
    if (receipt !== 'individually') this.#settle(receipt, item)
    this.#progress(-size)
  }

  /** From a scratch file, which may have changed since it was written: read, hashed and verified once more. */
  async #transferHeld(
    item: Item,
    held: HeldEntry,
    proof: Pick<Match, 'verified' | 'note'> & Pick<Receipt, 'guestbook'>,
  ): Promise<Receipt> {
    const open: OpenSource = () =>
      Promise.resolve({
        body: held.bytes(),
        from: 0,
        size: held.size,
        etag: undefined,
        contentType: undefined,
        encoding: undefined,
        counted: true,
      })
    const { signal } = this.#task
    const run = { key: itemKey(this.#opened.batch.id, item.n), signal, count: false, digests: this.#digests }
    return { ...(await transfer(item, { open, sink: this.#opened.sink }, run)), ...proof }
  }

  /** Has a receipt recorded and counted, without waiting: those that end meanwhile are grouped with it. */
  #settle(receipt: Receipt, { server }: Item): void {
    const settling = this.#opened.receipts
      .settle(receipt, server, this.#task.began)
      .then(() => void this.#open.delete(receipt.n))
    // Reported through `#settled`.
    settling.catch(() => undefined)
    this.#settling.push(settling)
  }

  /** Waits for these steps and for what they settle. Rejects with the first error of the steps, or else of settling. */
  async #settled(steps: Promise<void>): Promise<void> {
    try {
      await steps
    } finally {
      await Promise.allSettled(this.#settling)
    }
    await Promise.all(this.#settling)
  }

  #progress(bytes: number): void {
    this.#inHand += bytes
    this.#task.progress(this.#inHand)
  }
}

/** An error of one item concerns that item alone; one that would hold up everything does not. */
async function leftToGoIndividually<T>(step: Promise<T>): Promise<T | 'individually'> {
  try {
    return await step
  } catch (error) {
    if (error instanceof DataferryError && error.remedy !== 'park') return 'individually'
    throw error
  }
}

function claim(matcher: BundleMatcher, { name, doubtful }: StreamedEntry, held: HeldEntry): Match | undefined {
  const { size, checksums, firstLine } = held
  return matcher.claim({ name, doubtful, size, checksums, firstLine })
}

/** A damaged entry is fetched individually; those after it may be sound. */
async function unlessDamaged<T>(step: Promise<T>): Promise<T | undefined> {
  try {
    return await step
  } catch (error) {
    if (error instanceof DataferryError && error.code === 'ZIP_DAMAGED') return undefined
    throw error
  }
}

/** The chunks up to `most` bytes: a longer entry is not one of the items. */
async function* upTo(chunks: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const chunk of chunks) {
    yield chunk
    length += chunk.byteLength
    if (length > most) return
  }
}
