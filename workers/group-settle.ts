import { GroupCommit } from '../src/async/group-commit.ts'
import type { OutcomeWriter } from '../src/batch/outcome-log.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Batch } from '../src/model/batch.ts'
import { itemKey } from '../src/model/item-key.ts'
import type { Outcome, Receipt } from '../src/model/receipt.ts'
import type { Sink } from '../src/sinks/sink.ts'
import type { BatchLog } from './log-tails.ts'

/** Most ends counted in one call: long scripts make everyone else wait. */
const MOST = 250

/** Where a batch's receipts go. */
interface ReceiptPlace {
  readonly batch: Pick<Batch, 'id'>
  readonly sink: Pick<Sink, 'forget'>
  readonly outcomes: Pick<OutcomeWriter, 'record'>
  readonly ended: Ended
}

/** @param began when the work on it began, by `performance.now()`; undefined: there was none */
export type Ended = (outcome: Outcome, server: string, began: number | undefined) => void

interface End {
  readonly receipt: Receipt
  readonly server: string
  readonly began: number | undefined
}

/**
 * Settles the items of a batch that are there: first on record, then counted, then nothing of them is left over. Those that end in
 * one moment share one write and one call.
 */
export class GroupSettle {
  readonly #place: ReceiptPlace
  readonly #ledger: Pick<Ledger, 'settleAll'>
  readonly #commits = new GroupCommit<End>((ends) => this.#settle(ends), MOST)

  constructor(place: ReceiptPlace, ledger: Pick<Ledger, 'settleAll'>) {
    this.#place = place
    this.#ledger = ledger
  }

  /**
   * Resolves when the receipt is durable and counted. Repeatable.
   * @param began when the work on it began, by `performance.now()`
   */
  settle(receipt: Receipt, server: string, began?: number): Promise<void> {
    return this.#commits.add({ receipt, server, began })
  }

  async #settle(ends: readonly End[]): Promise<void> {
    const { batch, outcomes, sink, ended } = this.#place
    const receipts = ends.map(({ receipt }) => receipt)
    // Everything recorded in one turn goes out in one write.
    await Promise.all(receipts.map((receipt) => outcomes.record(receipt)))
    const lines = receipts.map(({ n, state, size }) => ({ n, state, bytes: size }))
    await this.#ledger.settleAll(batch.id, lines)
    const marked = receipts.filter(({ verified }) => verified !== 'checksum')
    await Promise.all(marked.map(({ n }) => sink.forget(itemKey(batch.id, n))))
    for (const { receipt, server, began } of ends) ended(receipt, server, began)
  }
}

/** @param ms how long the work on it took */
export function logEnd(outcome: Outcome, log: Pick<BatchLog, 'info'>, ms: number | undefined): void {
  const { n, path, state } = outcome
  const took = ms === undefined ? {} : { ms: Math.round(ms) }
  log.info({ n, path, state, ...howEnded(outcome), ...took }, outcome.state === 'waiting' ? 'item waits' : 'item ended')
}

function howEnded(outcome: Outcome): Readonly<Record<string, unknown>> {
  if (outcome.state === 'failed') return { code: outcome.code, problem: outcome.message }
  if (outcome.state === 'waiting') return { for: outcome.for, until: outcome.until }
  return { bytes: outcome.size, verified: outcome.verified }
}
