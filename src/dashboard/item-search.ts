import { findItems } from '../batch/find-items.ts'
import { BLOCK } from '../batch/items-scan.ts'
import { DataferryError } from '../errors.ts'
import type { Ledger, LedgerEntry, LineState } from '../ledger/ledger.ts'
import type { Item } from '../model/item.ts'
import type { Records } from '../sinks/sink.ts'
import type { ItemLine, ItemView } from './api/schemas.ts'

/** Hits of one page. */
const PAGE = 100
/** How often it says how far it is. */
const TELL_EVERY = 20 * BLOCK
/** Searches that wait for the one that goes on. */
const WAITING = 8

export interface Search {
  /** Part of a path. */
  readonly q: string
  readonly state: 'any' | ItemView['state']
  /** The first line to look at. */
  readonly from: number
}

interface Deps {
  readonly ledger: Pick<Ledger, 'statesIn' | 'errorsAt'>
  /** Lines of a batch that workers hold. */
  readonly held: (batch: string) => Promise<ReadonlySet<number>>
}

/** Searches plans, one at a time, however many people ask: each reads a file from disk or store, as far as it is needed. */
export class ItemSearch {
  readonly #deps: Deps
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  constructor(deps: Deps) {
    this.#deps = deps
  }

  /** Hits as they are found, at most a page; the last line says where to go on. Ends early when the signal aborts. */
  async *find(batch: LedgerEntry, records: Records, search: Search, signal: AbortSignal): AsyncGenerator<ItemLine> {
    if (this.#waiting >= WAITING) {
      throw new DataferryError('ARGUMENT_INVALID', 'Several searches are going on already. Try again in a moment.')
    }
    let release: () => void = () => undefined
    const before = this.#last
    this.#last = new Promise((resolve) => (release = resolve))
    this.#waiting++
    try {
      await before
      yield* this.#scan(batch, records, search, signal)
    } finally {
      this.#waiting--
      release()
    }
  }

  async *#scan(
    { id, planned }: LedgerEntry,
    records: Records,
    { q, state, from }: Search,
    signal: AbortSignal,
  ): AsyncGenerator<ItemLine> {
    const states = new States(this.#deps, id, planned)
    let hits = 0
    for await (const { n, item } of findItems(records, id, from, q.toLowerCase())) {
      if (signal.aborted) return
      if (n >= planned) break
      if (n > from && n % TELL_EVERY === 0) yield { scanned: n, of: planned }
      if (!item) continue
      const is = await states.of(n)
      if (state !== 'any' && state !== is) continue
      const [error] = is === 'failed' ? await this.#deps.ledger.errorsAt(id, [n]) : []
      yield { item: { ...itemView(item, is), ...(error && { code: error.code, message: error.message }) } }
      if (++hits === PAGE) {
        yield { next: n + 1 < planned ? n + 1 : null }
        return
      }
    }
    yield { next: null }
  }
}

/** The states of lines, asked for a block at a time. */
class States {
  readonly #deps: Deps
  readonly #id: string
  readonly #planned: number
  #block = -1
  #states: readonly LineState[] = []
  #held: ReadonlySet<number> | undefined

  constructor(deps: Deps, id: string, planned: number) {
    this.#deps = deps
    this.#id = id
    this.#planned = planned
  }

  async of(n: number): Promise<ItemView['state']> {
    const { ledger, held } = this.#deps
    this.#held ??= await held(this.#id)
    const block = Math.floor(n / BLOCK)
    if (block !== this.#block) {
      this.#states = await ledger.statesIn(this.#id, block * BLOCK, Math.min(this.#planned, (block + 1) * BLOCK))
      this.#block = block
    }
    const state = this.#states[n % BLOCK] ?? 'open'
    return state === 'open' && this.#held.has(n) ? 'active' : state
  }
}

function itemView({ n, path, server, expect, origin, problem }: Item, state: ItemView['state']): ItemView {
  const { size, checksum } = expect
  return {
    n,
    path,
    server,
    size: size ?? null,
    checksum: checksum ? `${checksum.algorithm}:${checksum.hex}` : null,
    dataset: origin?.dataset ?? null,
    state,
    code: problem?.code ?? null,
    message: problem?.message ?? null,
  }
}
