import { setMaxListeners } from 'node:events'
import { tmpdir } from 'node:os'
import { holdEntry, type HeldEntry } from '../src/archive/hold-entry.ts'
import { limitsFor } from '../src/archive/limits.ts'
import { bundleMatcher, type BundleMatcher, type Match } from '../src/archive/match-entry.ts'
import { readEntries, type StreamedEntry } from '../src/archive/read-entries.ts'
import { DataferryError } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import { itemKey } from '../src/model/item-key.ts'
import type { Receipt } from '../src/model/receipt.ts'
import type { OpenSource } from '../src/model/source.ts'
import { commitWhole } from '../src/transfer/commit-whole.ts'
import { keepExisting } from '../src/transfer/existing.ts'
import { transfer } from '../src/transfer/transfer.ts'
import type { OpenBatch } from './batches.ts'
import { FewAtOnce } from './few-at-once.ts'
import type { Task } from './running.ts'
import { SettleTogether } from './settle-together.ts'

/** Entries that are written at the same time: most of that is waiting for the disk or the object store. */
const WRITES = 8
/** Bytes of one entry that are held in memory; a longer one goes to a scratch file. */
const HELD_BYTES = 4 << 20

/** Items that are at the destination and wait for being settled. */
const ENDS = 100

interface BundleFetchDeps {
  readonly ledger: Pick<Ledger, 'settleAll'>
}

/** Items that travel together, each of which ends by itself. */
export class BundleFetch {
  readonly #opened: OpenBatch
  readonly #task: Task
  readonly #ends: SettleTogether
  readonly #open: Map<number, Item>
  readonly #settling = new FewAtOnce(ENDS)
  /** The server began to send an archive. */
  begun = false
  #counted = false
  /** Bytes of entries that have come and are not settled yet. */
  #inHand = 0

  constructor(items: readonly Item[], opened: OpenBatch, task: Task, { ledger }: BundleFetchDeps) {
    this.#open = new Map(items.map((item) => [item.n, item]))
    this.#opened = opened
    this.#task = task
    this.#ends = new SettleTogether(opened, ledger)
    // Every write listens to it a few times; Node.js warns of a leak from eleven listeners on.
    setMaxListeners(8 * WRITES, task.signal)
  }

  /** Items that have not ended. */
  left(): readonly Item[] {
    return [...this.#open.values()]
  }

  /** Whether the server has counted every item: it does so one by one, as their turn in the archive comes. */
  get counted(): { readonly counted?: true } {
    return this.#counted ? { counted: true } : {}
  }

  /** Settles what is at the destination already. @returns what has to be fetched; an item in doubt is left to go singly */
  async keepExisting(): Promise<readonly Item[]> {
    const { sink, batch, earlier } = this.#opened
    const { signal } = this.#task
    const wanted: Item[] = []
    const checks = new FewAtOnce(WRITES)
    for (const item of this.left()) {
      await checks.start(async () => {
        signal.throwIfAborted()
        const find = (one: Item) => earlier.find(one)
        const kept = await leftToGoSingly(
          keepExisting(item, sink, {
            key: itemKey(this.#opened.batch.id, item.n),
            policy: batch.existing,
            earlier: find,
            signal,
          }),
        )
        if (kept === 'singly') return
        if (!kept) return void wanted.push(item)
        await this.#settle(kept)
      })
    }
    await this.#allSettled(checks)
    return wanted.sort((a, b) => a.n - b.n)
  }

  /**
   * Asks for one ZIP and settles every item that is in it. Rejects when the archive breaks off or is not sound, with
   * everything before that settled, and with what concerns the whole destination.
   * @returns how many items it held
   */
  async fetch(wanted: readonly Item[], open: OpenSource, count: boolean): Promise<number> {
    const { signal } = this.#task
    const files = wanted.flatMap(({ ref }) => (ref.kind === 'file' && typeof ref.file === 'number' ? [ref.file] : []))
    const format = wanted[0]?.ref.kind === 'file' ? wanted[0].ref.format : 'original'
    const { body } = await open({ kind: 'zip', files, format }, 0, { signal, count })
    this.begun = true
    const matcher = bundleMatcher(wanted)
    const bytes = wanted.reduce((sum, { expect, listedSize }) => sum + (expect.size ?? listedSize ?? 0), 0)
    const hold = { algorithms: matcher.algorithms, memory: HELD_BYTES, scratch: tmpdir() }
    const writes = new FewAtOnce(WRITES)
    let had = 0
    try {
      for await (const entry of readEntries(body, limitsFor({ files: files.length, bytes }))) {
        signal.throwIfAborted()
        const held = await unlessDamaged(holdEntry(upTo(entry.open(), matcher.largest ?? Infinity), hold))
        const match = held && claim(matcher, entry, held)
        if (!match) {
          await held?.[Symbol.asyncDispose]()
          continue
        }
        had++
        this.#progress(held.size)
        await writes.start(() => this.#write(match, held))
      }
      this.#counted = true
    } finally {
      await writes.settled()
      await this.#settling.settled()
    }
    await this.#allSettled(writes)
    return had
  }

  /** Exactly as if it had come alone. */
  async #write({ item, verified, note }: Match, held: HeldEntry): Promise<void> {
    const { sink } = this.#opened
    await using bytes = held
    const run = { key: itemKey(this.#opened.batch.id, item.n), signal: this.#task.signal }
    const { size, chunks } = bytes
    const checksum = bytes.checksums.find(
      ({ algorithm }) => algorithm === (item.expect.checksum?.algorithm ?? 'sha256'),
    )
    const proof = { size, verified, ...(note !== undefined && { note }) }
    const receipt = await leftToGoSingly(
      chunks && checksum
        ? commitWhole(item, { ...proof, chunks, checksum }, sink, run)
        : this.#transferHeld(item, bytes, proof),
    )
    if (receipt !== 'singly') await this.#settle(receipt)
    this.#progress(-size)
  }

  /** From a scratch file, which may have changed since it was written: read, hashed and judged once more. */
  async #transferHeld(item: Item, held: HeldEntry, proof: Pick<Match, 'verified' | 'note'>): Promise<Receipt> {
    const open: OpenSource = () =>
      Promise.resolve({
        body: held.bytes(),
        from: 0,
        size: held.size,
        etag: undefined,
        contentType: undefined,
        counted: true,
      })
    const run = { key: itemKey(this.#opened.batch.id, item.n), signal: this.#task.signal, count: false }
    return { ...(await transfer(item, { open, sink: this.#opened.sink }, run)), ...proof }
  }

  /** Has a receipt recorded and counted, without waiting for that: others that end meanwhile go the same way together. */
  async #settle(receipt: Receipt): Promise<void> {
    await this.#settling.start(async () => {
      await this.#ends.settle(receipt)
      this.#open.delete(receipt.n)
    })
  }

  /** Rejects with the first error of these steps, or else of settling. */
  async #allSettled(steps: FewAtOnce): Promise<void> {
    await steps.settled()
    await this.#settling.settled()
    await steps.all()
    await this.#settling.all()
  }

  #progress(bytes: number): void {
    this.#inHand += bytes
    this.#task.progress(this.#inHand)
  }
}

/** What stands in one item's way is that item's affair; what holds up everything is not. */
async function leftToGoSingly<T>(step: Promise<T>): Promise<T | 'singly'> {
  try {
    return await step
  } catch (error) {
    if (error instanceof DataferryError && error.remedy !== 'park') return 'singly'
    throw error
  }
}

function claim(matcher: BundleMatcher, { name, doubtful }: StreamedEntry, held: HeldEntry): Match | undefined {
  const { size, checksums, firstLine } = held
  return matcher.claim({ name, doubtful, size, checksums, firstLine })
}

/** What damage has spoilt comes singly; what is behind it may be sound. */
async function unlessDamaged<T>(step: Promise<T>): Promise<T | undefined> {
  try {
    return await step
  } catch (error) {
    if (error instanceof DataferryError && error.code === 'ZIP_DAMAGED') return undefined
    throw error
  }
}

/** The chunks until they are more than `most` bytes: longer entries are none of the items. */
async function* upTo(chunks: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let length = 0
  for await (const chunk of chunks) {
    yield chunk
    length += chunk.byteLength
    if (length > most) return
  }
}
