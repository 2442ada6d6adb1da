import { LRUCache } from 'lru-cache'
import type { BatchId } from '../model/batch.ts'
import { itemSchema, type Item } from '../model/item.ts'
import type { RecordLog, Records } from '../sinks/sink.ts'
import { names } from './folder.ts'

/** Every how many lines the index holds a byte offset. */
const BLOCK = 1_000
const OFFSET_BYTES = 8
/** Blocks of lines that a reader keeps, as readers go roughly forward. */
const KEPT_BLOCKS = 4

/** Where writing goes on: lines and bytes that count. */
interface Position {
  readonly items: number
  readonly bytes: number
}

/**
 * Appends items to `items.ndjson` and, for every 1,000th line, its byte offset to `items.index` (unsigned 64-bit,
 * little-endian), so that any line can be sought without reading the file. Nothing counts before `flush`.
 */
export class ItemsWriter {
  readonly #items: RecordLog
  readonly #index: RecordLog
  #lines: string[] = []
  #offsets: bigint[] = []
  #count: number
  #bytes: number

  private constructor(items: RecordLog, index: RecordLog, at: Position) {
    this.#items = items
    this.#index = index
    this.#count = at.items
    this.#bytes = at.bytes
  }

  /** Opens the files and cuts off anything written after `at`. */
  static async open(records: Records, batch: BatchId, at: Position): Promise<ItemsWriter> {
    const items = await records.appendTo(names.items(batch), at.bytes)
    try {
      const index = await records.appendTo(names.index(batch), Math.ceil(at.items / BLOCK) * OFFSET_BYTES)
      return new ItemsWriter(items, index, at)
    } catch (error) {
      await items.close()
      throw error
    }
  }

  /** Takes the next item; its `n` is the line number it gets. */
  add(item: Omit<Item, 'n'>): Item {
    const numbered: Item = { n: this.#count, ...item }
    const line = `${JSON.stringify(numbered)}\n`
    if (this.#count % BLOCK === 0) this.#offsets.push(BigInt(this.#bytes))
    this.#lines.push(line)
    this.#count++
    this.#bytes += Buffer.byteLength(line)
    return numbered
  }

  get position(): Position {
    return { items: this.#count, bytes: this.#bytes }
  }

  /** Lines that are not durable yet. */
  get buffered(): number {
    return this.#lines.length
  }

  /** Makes everything added so far durable. */
  async flush(): Promise<void> {
    if (this.#lines.length === 0) return
    const lines = this.#lines.join('')
    const offsets = Buffer.from(BigUint64Array.from(this.#offsets).buffer)
    this.#lines = []
    this.#offsets = []
    await this.#items.append(lines)
    if (offsets.byteLength > 0) await this.#index.append(offsets)
  }

  async close(): Promise<void> {
    await Promise.all([this.#items.close(), this.#index.close()])
  }
}

/** Reads items by line number. */
export class ItemsReader {
  readonly #records: Records
  readonly #batch: BatchId
  /** Lines, each replaced by its item when that is first asked for: feeder and worker ask for the same ones. */
  readonly #blocks = new LRUCache<number, Promise<(string | Item)[]>>({ max: KEPT_BLOCKS })
  #offsets: readonly number[] = []

  constructor(records: Records, batch: BatchId) {
    this.#records = records
    this.#batch = batch
  }

  /** The item on line `n`. Rejects when there is no such line. */
  async item(n: number): Promise<Item> {
    const block = await this.#blockWith(n)
    const line = block[n % BLOCK]
    if (line === undefined) throw new RangeError(`The plan of ${this.#batch} has no line ${n}.`)
    if (typeof line !== 'string') return line
    const item = itemSchema.parse(JSON.parse(line))
    block[n % BLOCK] = item
    return item
  }

  /** Items of lines `from` … `to` − 1, in order; `to` must not be beyond what is planned. */
  async *range(from: number, to: number): AsyncGenerator<Item> {
    for (let n = from; n < to; n++) yield await this.item(n)
  }

  async #blockWith(n: number): Promise<(string | Item)[]> {
    const number = Math.floor(n / BLOCK)
    const block = await this.#block(number)
    if (n % BLOCK < block.length) return block
    // The block may have grown since it was read.
    this.#blocks.delete(number)
    return this.#block(number)
  }

  #block(number: number): Promise<(string | Item)[]> {
    const known = this.#blocks.get(number)
    if (known) return known
    const loading = this.#load(number)
    this.#blocks.set(number, loading)
    loading.catch(() => this.#blocks.delete(number))
    return loading
  }

  async #load(number: number): Promise<string[]> {
    if (this.#offsets.length <= number + 1) await this.#loadIndex()
    const from = this.#offsets[number]
    if (from === undefined) return []
    const to = this.#offsets[number + 1] ?? Number.MAX_SAFE_INTEGER
    const bytes = await this.#records.readLog(names.items(this.#batch), from, to)
    // After a crash the last line may be torn: only whole lines count.
    return Buffer.from(bytes).toString('utf8').split('\n').slice(0, -1)
  }

  async #loadIndex(): Promise<void> {
    const bytes = await this.#records.readLog(names.index(this.#batch), 0, Number.MAX_SAFE_INTEGER)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const count = Math.floor(bytes.byteLength / OFFSET_BYTES)
    this.#offsets = Array.from({ length: count }, (_, i) => Number(view.getBigUint64(i * OFFSET_BYTES, true)))
  }
}

/** Every planned item in order, read forward once. */
export async function* allItems(records: Records, batch: BatchId, count: number): AsyncGenerator<Item> {
  const reader = new ItemsReader(records, batch)
  yield* reader.range(0, count)
}
