import { LRUCache } from 'lru-cache'
import { DataferryError } from '../errors.ts'
import { parseJson } from '../json/parse-json.ts'
import type { BatchId } from '../model/batch.ts'
import { itemSchema, NO_REF, type Item } from '../model/item.ts'
import type { RecordLog, Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { BLOCK, lineNumber, scanItems } from './items-scan.ts'
import { unreadable } from './record.ts'

const OFFSET_BYTES = 8
/** Blocks of lines that a reader keeps, as readers go roughly forward. */
const KEPT_BLOCKS = 4
/** Most bytes of a block and of the index that are read: no plan is longer. */
const LONGEST_BLOCK = 256 << 20
const LONGEST_INDEX = 64 << 20

/** Where writing continues: lines and bytes that count. */
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
  #offsets: number[] = []
  #count: number
  #bytes: number

  private constructor(items: RecordLog, index: RecordLog, at: Position) {
    this.#items = items
    this.#index = index
    this.#count = at.items
    this.#bytes = at.bytes
  }

  /**
   * Opens the files and cuts off anything written after `at`. An index that does not lead to these lines is rewritten.
   * Rejects with `RECORD_UNREADABLE` when the lines are not there.
   */
  static async open(records: Records, batch: BatchId, at: Position): Promise<ItemsWriter> {
    const { offsets, items, more, allBytes } = await scanItems(records, batch, at.bytes)
    if (allBytes !== at.bytes || items + more !== at.items) throw linesMissing(batch, at.items)
    const blocks = Array.from({ length: Math.ceil(at.items / BLOCK) }, (_, block) => offsets[block] ?? at.bytes)
    const log = await records.appendTo(names.items(batch), at.bytes)
    try {
      return new ItemsWriter(log, await openIndex(records, batch, blocks), at)
    } catch (error) {
      await log.close()
      throw error
    }
  }

  /** Takes the next item; its `n` is the line number it gets. */
  add(item: Omit<Item, 'n'>): Item {
    const numbered: Item = { n: this.#count, ...item }
    const line = `${JSON.stringify(numbered)}\n`
    if (this.#count % BLOCK === 0) this.#offsets.push(this.#bytes)
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
    const offsets = indexBytes(this.#offsets)
    this.#lines = []
    this.#offsets = []
    await this.#items.append(lines)
    if (offsets.byteLength > 0) await this.#index.append(offsets)
  }

  async close(): Promise<void> {
    await Promise.all([this.#items.close(), this.#index.close()])
  }
}

/** The index, ready for more; it holds these offsets and nothing else. */
async function openIndex(records: Records, batch: BatchId, offsets: readonly number[]): Promise<RecordLog> {
  const name = names.index(batch)
  const right = indexBytes(offsets)
  const there = await records.readLog(name, 0, right.length)
  if (right.equals(there)) return records.appendTo(name, right.length)
  await records.remove(name)
  const log = await records.appendTo(name)
  if (right.length > 0) await log.append(right)
  return log
}

function indexBytes(offsets: readonly number[]): Buffer {
  return Buffer.from(BigUint64Array.from(offsets, (offset) => BigInt(offset)).buffer)
}

function linesMissing(batch: BatchId, items: number): DataferryError {
  return unreadable(
    `.dataferry/${names.items(batch)} does not hold the ${items} lines that ${names.plan(batch)} counts.`,
  )
}

/** Lines of one block by their place in it, each replaced by its item on first use. */
type Block = (string | Item | undefined)[]

/**
 * Reads items by line number. The index only says where to look: a line is identified by the number it carries, and where the
 * index does not lead to it, all lines are scanned once. A line that cannot be read is an item with a problem.
 */
export class ItemsReader {
  readonly #records: Records
  readonly #batch: BatchId
  /** Feeder and worker read the same ones. */
  readonly #blocks = new LRUCache<number, Promise<Block>>({ max: KEPT_BLOCKS })
  #offsets: readonly number[] = []
  #scanning: Promise<boolean> | undefined
  /** Bytes of lines that were scanned, and whether their offsets differ from the index. */
  #scanned: number | undefined
  #isIndexWrong = false

  constructor(records: Records, batch: BatchId) {
    this.#records = records
    this.#batch = batch
  }

  /** The item on line `n`, which must be planned. Rejects with `SINK_UNAVAILABLE` when the records of the batch are gone. */
  async item(n: number): Promise<Item> {
    const block = await this.#blockWith(n)
    const line = block[n % BLOCK]
    if (typeof line === 'object') return line
    const item = line === undefined ? undefined : parseItem(line)
    if (item) block[n % BLOCK] = item
    return item ?? this.#damaged(n)
  }

  /** Items of lines `from` … `to` − 1, in order; `to` must not be beyond what is planned. */
  async *range(from: number, to: number): AsyncGenerator<Item> {
    for (let n = from; n < to; n++) yield await this.item(n)
  }

  /** Whether an outcome with this path may belong to line `n`: only a readable line can say no. */
  async isAt(n: number, path: string): Promise<boolean> {
    const line = (await this.#blockWith(n))[n % BLOCK]
    if (typeof line === 'object') return line.path === path
    return line === undefined || line.includes(`"path":${JSON.stringify(path)}`) || !parseItem(line)
  }

  async #blockWith(n: number): Promise<Block> {
    const number = Math.floor(n / BLOCK)
    const known = await this.#block(number)
    if (known[n % BLOCK] !== undefined) return known
    // The block may have grown since it was read.
    this.#blocks.delete(number)
    const read = await this.#block(number)
    if (read[n % BLOCK] !== undefined || !(await this.#scan())) return read
    return this.#block(number)
  }

  #block(number: number): Promise<Block> {
    const known = this.#blocks.get(number)
    if (known) return known
    const loading = this.#load(number)
    this.#blocks.set(number, loading)
    loading.catch(() => this.#blocks.delete(number))
    return loading
  }

  async #load(number: number): Promise<Block> {
    if (!this.#isIndexWrong && this.#offsets.length <= number + 1) await this.#loadIndex()
    const from = this.#offsets[number]
    if (from === undefined) return []
    const to = Math.min(this.#offsets[number + 1] ?? Infinity, from + LONGEST_BLOCK)
    const bytes = await this.#records.readLog(names.items(this.#batch), from, Math.max(from, to))
    // After a crash the last line may be torn: only whole lines count.
    return blockOf(Buffer.from(bytes).toString('utf8').split('\n').slice(0, -1), number * BLOCK)
  }

  async #loadIndex(): Promise<void> {
    const bytes = await this.#records.readLog(names.index(this.#batch), 0, LONGEST_INDEX)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const count = Math.floor(bytes.byteLength / OFFSET_BYTES)
    const offsets = Array.from({ length: count }, (_, i) => Number(view.getBigUint64(i * OFFSET_BYTES, true)))
    this.#offsets = offsets.map((offset) => Math.min(offset, Number.MAX_SAFE_INTEGER - LONGEST_BLOCK))
  }

  /** Builds an index from the lines themselves. @returns false when that was done, and no line was added since */
  #scan(): Promise<boolean> {
    this.#scanning ??= this.#scanOnce().finally(() => (this.#scanning = undefined))
    return this.#scanning
  }

  async #scanOnce(): Promise<boolean> {
    const log = names.items(this.#batch)
    const scanned = this.#scanned
    if (scanned !== undefined && (await this.#records.readLog(log, scanned, scanned + 1)).length === 0) return false
    const { offsets, bytes } = await scanItems(this.#records, this.#batch)
    if (bytes === scanned) return false
    await this.#loadIndex()
    this.#isIndexWrong = offsets.some((offset, block) => offset !== this.#offsets[block])
    if (this.#isIndexWrong) this.#offsets = offsets
    this.#scanned = bytes
    this.#blocks.clear()
    return true
  }

  /** A placeholder, so that this line ends with a code and the others continue. */
  async #damaged(n: number): Promise<Item> {
    if (await this.#records.read(names.batch(this.#batch))) return damagedItem(n)
    const message = `The records of ${this.#batch} are no longer at the destination: is its disk mounted?`
    throw new DataferryError('SINK_UNAVAILABLE', message)
  }
}

function damagedItem(n: number): Item {
  const what = `line ${n + 1} of the plan`
  const message = `The item on ${what} can no longer be read.`
  return {
    n,
    server: '',
    ref: NO_REF,
    path: what,
    expect: {},
    problem: { code: 'RECORD_UNREADABLE', message },
  }
}

/** Whether an item is a placeholder for a line that cannot be read: nothing but its number is known. */
export function isDamaged({ server }: Item): boolean {
  return server === ''
}

/** Lines by the number each carries; of two with the same number, the one in the right place counts. */
function blockOf(lines: readonly string[], first: number): Block {
  const block: Block = []
  for (const [at, line] of lines.entries()) {
    const place = (lineNumber(line) ?? -1) - first
    if (place < 0 || place >= BLOCK) continue
    if (block[place] === undefined || place === at) block[place] = line
  }
  return block
}

function parseItem(line: string): Item | undefined {
  const parsed = itemSchema.safeParse(parseJson(line))
  return parsed.success ? parsed.data : undefined
}

/** Every planned item in order, read forward once. */
export async function* allItems(records: Records, batch: BatchId, count: number): AsyncGenerator<Item> {
  const reader = new ItemsReader(records, batch)
  yield* reader.range(0, count)
}
