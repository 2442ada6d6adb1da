import { LRUCache } from 'lru-cache'
import { within } from '../async/within.ts'
import { ERROR_CODES, isErrorCode } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { FailureGroup } from './api/schemas.ts'

const EXAMPLES = 5
const CODES = 100
const BATCHES = 20
/** A batch whose failures keep coming is counted anew no more often. */
const AGAIN_MS = 5_000
/** What few failures take to count; more of them are told when they are. */
const PATIENCE_MS = 50

export interface Groups {
  readonly groups: readonly FailureGroup[]
  /** Failures that were looked at. */
  readonly counted: number
}

interface Counted extends Groups {
  /** How many there were then. */
  readonly failed: number
  readonly at: number
}

/** The failures of batches by code. They are counted in the background, however many there are, when their number has changed. */
export class FailureGroups {
  readonly #ledger: Pick<Ledger, 'errors'>
  readonly #counted = new LRUCache<string, Counted>({ max: BATCHES })
  readonly #counting = new Map<string, Promise<void>>()

  constructor(ledger: Pick<Ledger, 'errors'>) {
    this.#ledger = ledger
  }

  /** @param failed how many there are now */
  async of(id: string, failed: number): Promise<Groups> {
    if (failed === 0) return { groups: [], counted: 0 }
    const known = this.#counted.get(id)
    const isDue = known?.failed !== failed && performance.now() - (known?.at ?? -Infinity) > AGAIN_MS
    if (isDue && !this.#counting.has(id)) {
      const counting = this.#count(id, failed)
        .catch(() => undefined)
        .finally(() => this.#counting.delete(id))
      this.#counting.set(id, counting)
    }
    await within(PATIENCE_MS, this.#counting.get(id) ?? Promise.resolve())
    return this.#counted.get(id) ?? { groups: [], counted: 0 }
  }

  async #count(id: string, failed: number): Promise<void> {
    const groups = new Map<string, { count: number; examples: FailureGroup['examples'] }>()
    let counted = 0
    for await (const { n, code, message, path } of this.#ledger.errors(id)) {
      counted++
      const name = groups.has(code) || groups.size < CODES ? code : 'OTHER'
      const group = groups.get(name) ?? { count: 0, examples: [] }
      group.count++
      if (group.examples.length < EXAMPLES) group.examples.push({ n, path, message })
      groups.set(name, group)
    }
    const views = [...groups].map(([code, group]) => ({ code, ...aboutCode(code), ...group }))
    views.sort((a, b) => b.count - a.count)
    this.#counted.set(id, { groups: views, counted, failed, at: performance.now() })
  }
}

function aboutCode(code: string): Pick<FailureGroup, 'meaning' | 'advice' | 'retries'> {
  if (!isErrorCode(code))
    return { meaning: 'Something unexpected happened.', advice: 'Read the messages.', retries: true }
  const { meaning, advice, remedy } = ERROR_CODES[code]
  return { meaning, advice, retries: remedy !== 'fail' }
}
