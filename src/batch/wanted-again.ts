import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { ItemsReader } from './items-file.ts'
import type { Finding } from './verify-batch.ts'
import { WANTED_HEADER, wantedRow } from './wanted-rows.ts'

/** Turns what `verify` finds missing or changed into a manifest that asks for it again, to the same paths. */
export class WantedAgain {
  readonly #records: Records
  readonly #write: (bytes: Uint8Array) => Promise<unknown>
  readonly #items = new Map<BatchId, ItemsReader>()
  /** Items that are in the manifest. */
  count = 0

  constructor(records: Records, write: (bytes: Uint8Array) => Promise<unknown>) {
    this.#records = records
    this.#write = write
  }

  async add(finding: Finding): Promise<void> {
    if (finding.state !== 'missing' && finding.state !== 'changed') return
    const { batch, n, state } = finding
    const items = this.#items.get(batch) ?? new ItemsReader(this.#records, batch)
    this.#items.set(batch, items)
    const message = state === 'changed' ? `${finding.found}, was ${finding.expected}` : ''
    if (this.count++ === 0) await this.#write(WANTED_HEADER)
    await this.#write(wantedRow(await items.item(n), state.toUpperCase(), message))
  }
}
