import type { BatchId } from '../model/batch.ts'
import type { Checksum } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import type { Verified } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { listBatches } from './folder.ts'
import { isDamaged, ItemsReader } from './items-file.ts'
import { Outcomes } from './outcomes.ts'

/** What an earlier batch recorded about the bytes of an item without a published checksum. */
export interface EarlierRecord {
  readonly checksum: Checksum
  readonly verified: Verified
}

/**
 * Finds what other batches of a destination recorded about the same thing at the same path: the bytes behind a file id never
 * change, so they prove a file whose server publishes no checksum. Read when first asked for; keeps such items only.
 */
export class EarlierBatches {
  readonly #records: Records
  readonly #except: BatchId
  #known: Promise<ReadonlyMap<string, EarlierRecord>> | undefined

  constructor(records: Records, except: BatchId) {
    this.#records = records
    this.#except = except
  }

  async find(item: Item): Promise<EarlierRecord | undefined> {
    const loading = (this.#known ??= this.#load())
    loading.catch(() => {
      // A destination that was away for a while is read again at the next item.
      if (this.#known === loading) this.#known = undefined
    })
    return (await loading).get(identity(item))
  }

  async #load(): Promise<ReadonlyMap<string, EarlierRecord>> {
    const known = new Map<string, EarlierRecord>()
    for (const { id } of await listBatches(this.#records)) {
      if (id === this.#except) continue
      const items = new ItemsReader(this.#records, id)
      const outcomes = await Outcomes.of(this.#records, id)
      for await (const { n, verified, checksum } of outcomes.receipts()) {
        if (verified === 'checksum' || !checksum) continue
        const item = await items.item(n)
        if (!isDamaged(item)) known.set(identity(item), { checksum, verified })
      }
    }
    return known
  }
}

function identity({ server, ref, path }: Item): string {
  return `${server} ${JSON.stringify(ref)} ${path}`
}
