import type { Ledger } from '../src/ledger/ledger.ts'
import type { Receipt } from '../src/model/receipt.ts'
import type { OpenBatch } from './batches.ts'
import { keyOf } from './settle.ts'

interface Waiting {
  readonly receipt: Receipt
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Ends that are counted in one call at most: long scripts make everybody else wait. */
const MOST = 250

/**
 * Settles many items of a batch as `settle` does one, in the same order: those that end while the ends before them are
 * being recorded share one write and one call.
 */
export class SettleTogether {
  readonly #opened: OpenBatch
  readonly #ledger: Pick<Ledger, 'settleAll'>
  #waiting: Waiting[] = []
  #draining = false

  constructor(opened: OpenBatch, ledger: Pick<Ledger, 'settleAll'>) {
    this.#opened = opened
    this.#ledger = ledger
  }

  /** Resolves when the receipt is durable and counted. Repeatable. */
  settle(receipt: Receipt): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ receipt, resolve, reject })
      if (!this.#draining) void this.#drain()
    })
  }

  async #drain(): Promise<void> {
    this.#draining = true
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, MOST)
      try {
        await this.#end(group.map(({ receipt }) => receipt))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#draining = false
  }

  async #end(receipts: readonly Receipt[]): Promise<void> {
    const { batch, outcomes, sink } = this.#opened
    // What is recorded in one turn goes out in one write.
    await Promise.all(receipts.map((receipt) => outcomes.record(receipt)))
    const ends = receipts.map(({ n, state, size }) => ({ n, state, bytes: size }))
    await this.#ledger.settleAll(batch.id, ends)
    const marked = receipts.filter(({ verified }) => verified !== 'checksum')
    await Promise.all(marked.map((receipt) => sink.forget(keyOf(this.#opened, receipt))))
  }
}
