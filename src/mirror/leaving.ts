import { z } from 'zod'
import type { FoundDataset, MirrorSource } from '../model/mirror-source.ts'
import type { MirrorOrder } from './order.ts'
import type { MirroredDataset } from './state.ts'

/** Datasets that may leave in one run, however few are held. */
const FEW = 10
const SHARE = 0.05

/** What became of a dataset that a sweep does not find any more: a line of `pending/departures.ndjson`. */
export const departureSchema = z.object({
  id: z.number().int().positive(),
  /** `current`: it stays, as the index may be at fault, or one more run has to say the same. */
  state: z.enum(['current', 'deaccessioned', 'gone', 'denied', 'out-of-scope']),
  reason: z.string().optional(),
  forward: z.string().optional(),
  unknownRuns: z.number().int().optional(),
})
export type Departure = Readonly<z.infer<typeof departureSchema>>

/** Whether so many datasets may leave in one run. A share that was asked for is not rounded. */
export function mayLeave(leaving: number, held: number, share: number | undefined): boolean {
  if (share !== undefined) return leaving <= share * held
  return leaving <= FEW || leaving <= SHARE * held
}

/** Whether a dataset is released, and of the scope, though it was not found. */
export function isStill({ state, unknownRuns }: Departure): boolean {
  return state === 'current' && unknownRuns === undefined
}

interface Asking {
  readonly order: Pick<MirrorOrder, 'scope'>
  readonly source: MirrorSource
  readonly signal: AbortSignal
  /** Whether it was looked for in the index, too. */
  readonly hasIndex: boolean
}

/** Asks the server itself about a dataset that the sweep did not find. */
export async function askAbout(
  { id, unknownRuns = 0 }: Pick<MirroredDataset, 'id' | 'unknownRuns'>,
  asking: Asking,
): Promise<Departure> {
  const { source, signal } = asking
  const answer = await source.ask(id, signal)
  switch (answer.state) {
    case 'deaccessioned':
      return { id, state: 'deaccessioned', reason: answer.reason, forward: answer.forward }
    case 'denied':
      return { id, state: 'denied' }
    case 'unknown':
      // Two runs have to agree that it was destroyed.
      return unknownRuns > 0 ? { id, state: 'gone' } : { id, state: 'current', unknownRuns: 1 }
    case 'released':
      return { id, state: (await isOutside(id, answer.owners, asking)) ? 'out-of-scope' : 'current' }
  }
}

async function isOutside(
  id: number,
  owners: readonly string[],
  { order: { scope }, source, signal, hasIndex }: Asking,
): Promise<boolean> {
  if (scope.kind === 'datasets') return false
  if (scope.kind === 'collections' && !scope.linked && owners.length > 0) {
    return !isAmong(owners, scope.collections)
  }
  // An index that knows it and does not find it is right; one that does not know it lags.
  return hasIndex && (await source.indexed(id, signal))
}

/** Which datasets of a search belong to a scope: a search finds what is only linked into a collection as well. */
export class Membership {
  readonly #source: MirrorSource
  readonly #scope: MirrorOrder['scope']
  readonly #signal: AbortSignal
  /** Aliases of collections, each once asked about. */
  readonly #inside = new Map<string, boolean>()

  constructor(source: MirrorSource, { scope }: Pick<MirrorOrder, 'scope'>, signal: AbortSignal) {
    this.#source = source
    this.#scope = scope
    this.#signal = signal
  }

  async has({ owner }: FoundDataset): Promise<boolean> {
    const scope = this.#scope
    // Without an owner it was found where it lies.
    if (scope.kind !== 'collections' || scope.linked || owner === undefined) return true
    const known = this.#inside.get(owner)
    if (known !== undefined) return known
    const inside = isAmong([owner], scope.collections) || (await this.#isWithin(owner, scope.collections))
    this.#inside.set(owner, inside)
    return inside
  }

  async #isWithin(owner: string, collections: readonly string[]): Promise<boolean> {
    const owners = await this.#source.owners(owner, this.#signal)
    // Servers before 6.1 do not tell what a collection lies in: there, what a search finds belongs to it.
    return owners.length < 2 || isAmong(owners, collections)
  }
}

/** Servers compare aliases without case. */
function isAmong(owners: readonly string[], collections: readonly string[]): boolean {
  const known = new Set(collections.map((alias) => alias.toLowerCase()))
  return owners.some((alias) => known.has(alias.toLowerCase()))
}
