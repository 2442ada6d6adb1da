import { GroupCommit } from '../src/async/group-commit.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import { itemKey } from '../src/model/item-key.ts'
import type { Receipt } from '../src/model/receipt.ts'
import type { OpenBatch } from './batches.ts'

/** Ends that are counted in one call at most: long scripts make everybody else wait. */
const MOST = 250

/**
 * Settles many items of a batch as `settle` does one, in the same order: those that end while the ends before them are
 * being recorded share one write and one call.
 */
export class SettleTogether {
  readonly #opened: OpenBatch
  readonly #ledger: Pick<Ledger, 'settleAll'>
  readonly #commits = new GroupCommit<Receipt>((receipts) => this.#end(receipts), MOST)

  constructor(opened: OpenBatch, ledger: Pick<Ledger, 'settleAll'>) {
    this.#opened = opened
    this.#ledger = ledger
  }

  /** Resolves when the receipt is durable and counted. Repeatable. */
  settle(receipt: Receipt): Promise<void> {
    return this.#commits.add(receipt)
  }

  async #end(receipts: readonly Receipt[]): Promise<void> {
    const { batch, outcomes, sink } = this.#opened
    // What is recorded in one turn goes out in one write.
    await Promise.all(receipts.map((receipt) => outcomes.record(receipt)))
    const ends = receipts.map(({ n, state, size }) => ({ n, state, bytes: size }))
    await this.#ledger.settleAll(batch.id, ends)
    const marked = receipts.filter(({ verified }) => verified !== 'checksum')
    await Promise.all(marked.map(({ n }) => sink.forget(itemKey(batch.id, n))))
  }
}
