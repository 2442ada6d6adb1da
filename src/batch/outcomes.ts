import type { BatchId } from '../model/batch.ts'
import type { Algorithm } from '../model/checksum.ts'
import {
  checksumsOf,
  logLineSchema,
  type Failure,
  type LogLine,
  type Outcome,
  type Receipt,
  type Verified,
  type Waiting,
  type WaitsFor,
} from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { ExternalSort } from './external-sort.ts'
import { EMPTY_PLAN, readPlanState } from './folder.ts'
import { ItemsReader } from './items-file.ts'
import { LineSet } from './line-set.ts'
import { readOutcomes, type DamagedLog } from './outcome-log.ts'
import { isUnreadable } from './record.ts'

/** What the receipts of a batch say, each item counted once. */
export interface Tally {
  readonly done: number
  readonly kept: number
  readonly failed: number
  /** Items that can perhaps be fetched later. */
  readonly waiting: number
  readonly waitingFor: Readonly<Record<WaitsFor, number>>
  /** Bytes of items `done`. */
  readonly bytes: number
  readonly keptBytes: number
  readonly resumed: number
  /** Files that archives lack. */
  readonly leftOut: number
  readonly verified: Readonly<Record<Verified, number>>
  readonly failures: Readonly<Record<string, number>>
  /** How many receipts hold a checksum of each algorithm. */
  readonly checksums: Readonly<Partial<Record<Algorithm, number>>>
}

/**
 * The one outcome of each item: a receipt beats everything else, the first `done` beats `kept`, and of failures and waits the last
 * counts.
 * Reads the records up to twice for each question instead of keeping them; memory is a few bits an item. A line counts only
 * if it is of this plan: its number is planned, for its path.
 */
export class Outcomes {
  readonly #records: Records
  readonly #batch: BatchId
  readonly #planned: number | undefined
  readonly #items: ItemsReader
  /** Lines of another plan, by number and path, once all have been checked. */
  #foreign: ReadonlySet<string> | undefined

  /** @param planned lines of the plan; unknown: every outcome counts */
  constructor(records: Records, batch: BatchId, planned?: number) {
    this.#records = records
    this.#batch = batch
    this.#planned = planned
    this.#items = new ItemsReader(records, batch)
  }

  /** The outcomes of a batch, checked against the plan on record if that can be read. */
  static async of(records: Records, batch: BatchId): Promise<Outcomes> {
    const plan = await readPlanState(records, batch).catch((error: unknown) => {
      if (isUnreadable(error)) return EMPTY_PLAN
      throw error
    })
    return new Outcomes(records, batch, plan === EMPTY_PLAN ? undefined : plan.items)
  }

  /**
   * Every receipt on record, in no order; there may be several of one item.
   * @param onDamage told of each log that is empty, or has damaged lines
   */
  async *everyReceipt(onDamage?: (log: DamagedLog) => void): AsyncGenerator<Receipt> {
    for await (const line of this.#lines(onDamage)) if (isReceipt(line)) yield line
  }

  /** The receipt of every item that has one, in no order. */
  async *receipts(): AsyncGenerator<Receipt> {
    const done = new LineSet()
    let someKept = false
    for await (const outcome of this.#lines()) {
      if (outcome.state === 'done' && done.add(outcome.n)) yield outcome
      someKept ||= outcome.state === 'kept'
    }
    if (!someKept) return
    const kept = new LineSet()
    for await (const outcome of this.#lines()) {
      if (outcome.state === 'kept' && !done.has(outcome.n) && kept.add(outcome.n)) yield outcome
    }
  }

  /** The failure of every item that failed at last, has no receipt and was not reopened since, in no order. */
  async *failures(): AsyncGenerator<Failure> {
    for await (const line of this.unfetched()) if (line.state === 'failed') yield line
  }

  /** Every item that waits, in no order. */
  async *waiting(): AsyncGenerator<Waiting> {
    for await (const line of this.unfetched()) if (line.state === 'waiting') yield line
  }

  /** The last line of every item that has no receipt and was not reopened since, in no order. */
  async *unfetched(): AsyncGenerator<Failure | Waiting> {
    const ended = new LineSet()
    const once = new LineSet()
    /** Items with several lines, of which the last one counts. */
    const often = new LineSet()
    for await (const line of this.#lines()) {
      if (isReceipt(line)) ended.add(line.n)
      else if (!once.add(line.n)) often.add(line.n)
    }
    if (once.count === 0) return
    await using several = new ExternalSort(logLineSchema)
    for await (const line of this.#lines()) {
      if (isReceipt(line) || ended.has(line.n)) continue
      if (often.has(line.n)) await several.add(String(line.n), line)
      else if (line.state !== 'reopened') yield line
    }
    for await (const { values } of several.groups()) {
      const last = values.reduce((known, line) => (known.finishedAt <= line.finishedAt ? line : known))
      if (last.state === 'failed' || last.state === 'waiting') yield last
    }
  }

  async *#lines(onDamage?: (log: DamagedLog) => void): AsyncGenerator<LogLine> {
    const found = new Set<string>()
    for await (const line of readOutcomes(this.#records, this.#batch, onDamage)) {
      if (line.n >= (this.#planned ?? Infinity)) continue
      const isForeign = this.#foreign ? this.#foreign.has(nameOf(line)) : !(await this.#isPlanned(line))
      if (isForeign) found.add(nameOf(line))
      else yield line
    }
    this.#foreign ??= found
  }

  async #isPlanned(line: LogLine): Promise<boolean> {
    return this.#planned === undefined || line.state === 'reopened' || this.#items.isAt(line.n, line.path)
  }

  /** @param each is told of the outcome of every item */
  async tally(each?: (outcome: Outcome) => Promise<void>): Promise<Tally> {
    const verified: Record<Verified, number> = { checksum: 0, size: 0, structure: 0, nothing: 0 }
    const sum = { done: 0, kept: 0, failed: 0, waiting: 0, bytes: 0, keptBytes: 0, resumed: 0, leftOut: 0 }
    const checksums: Partial<Record<Algorithm, number>> = {}
    for await (const receipt of this.receipts()) {
      sum[receipt.state]++
      if (receipt.state === 'done') sum.bytes += receipt.size
      else sum.keptBytes += receipt.size
      if (receipt.resumedFrom > 0) sum.resumed++
      sum.leftOut += receipt.leftOut?.length ?? 0
      verified[receipt.verified]++
      for (const { algorithm } of checksumsOf(receipt)) checksums[algorithm] = (checksums[algorithm] ?? 0) + 1
      await each?.(receipt)
    }
    const failures = new Map<string, number>()
    const waitingFor: Record<WaitsFor, number> = { access: 0, embargo: 0 }
    for await (const line of this.unfetched()) {
      await each?.(line)
      if (line.state === 'waiting') {
        sum.waiting++
        waitingFor[line.for]++
        continue
      }
      sum.failed++
      failures.set(line.code, (failures.get(line.code) ?? 0) + 1)
    }
    return { ...sum, waitingFor, verified, failures: Object.fromEntries(failures), checksums }
  }
}

/** Why an item is not there, as tables for people and machines call it. */
export function codeOf(line: Failure | Waiting): string {
  return line.state === 'failed' ? line.code : `WAITING_${line.for.toUpperCase()}`
}

function nameOf(line: LogLine): string {
  return `${line.n} ${'path' in line ? line.path : ''}`
}

function isReceipt(line: LogLine): line is Receipt {
  return line.state === 'done' || line.state === 'kept'
}
