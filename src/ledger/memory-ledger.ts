import type { BatchId } from '../model/batch.ts'
import type { Change, Changes } from './change.ts'
import {
  type BatchOwner,
  type BatchState,
  type Counts,
  type HeldLine,
  type Ledger,
  type LedgerBatch,
  type LedgerEntry,
  type LedgerError,
  type LineState,
  type Settled,
  type SettledLine,
  type Summary,
  type Taker,
  unknownBatch,
} from './ledger.ts'

interface Kept {
  entry: LedgerEntry
  plannedBytes: number
  corrected?: Counts
  readonly ends: Map<number, Settled>
  readonly crashes: Map<number, number>
  readonly looks: Map<string, number>
  readonly parts: Map<number, number>
}

/** A ledger in the memory of one process, for tests. It keeps the contract of `Ledger`, and is its own `Changes`. */
export class MemoryLedger implements Ledger, Changes {
  readonly #batches = new Map<BatchId, Kept>()
  readonly #listeners = new Set<(change: Change) => void>()

  open(batch: LedgerBatch, hold?: { readonly state: BatchState; readonly reason: string }): Promise<void> {
    if (!this.#batches.has(batch.id)) {
      const { state, reason } = hold ?? { state: 'open', reason: undefined }
      const whose = { attached: batch.attached ?? false, tokenServers: [], owner: undefined }
      const entry: LedgerEntry = { ...batch, ...whose, state, reason, planned: 0, planComplete: false }
      const maps = { ends: new Map(), crashes: new Map(), looks: new Map(), parts: new Map() }
      this.#batches.set(batch.id, { entry, plannedBytes: 0, ...maps })
    }
    return Promise.resolve()
  }

  get(id: BatchId): Promise<LedgerEntry | undefined> {
    return Promise.resolve(this.#batches.get(id)?.entry)
  }

  list(): Promise<readonly LedgerEntry[]> {
    const entries = [...this.#batches.values()].map(({ entry }) => entry)
    return Promise.resolve(entries.sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id)))
  }

  async setState(id: BatchId, state: BatchState, reason?: string): Promise<void> {
    const batch = await this.#known(id)
    batch.entry = { ...batch.entry, state, reason }
    this.#tell({ kind: 'batch', id, state })
  }

  async moveState(id: BatchId, from: readonly BatchState[], to: BatchState): Promise<boolean> {
    const { entry } = await this.#known(id)
    if (!from.includes(entry.state)) return false
    await this.setState(id, to)
    return true
  }

  async setDestination(id: BatchId, destination: string): Promise<void> {
    const batch = await this.#known(id)
    batch.entry = { ...batch.entry, destination }
  }

  async attach(id: BatchId, owner: BatchOwner, instead = ''): Promise<BatchOwner | undefined> {
    const batch = await this.#known(id)
    const has = batch.entry.owner
    if (has && has.id !== owner.id && has.id !== instead) return has
    batch.entry = { ...batch.entry, attached: true, owner }
    return undefined
  }

  async disown(id: BatchId, owner: string): Promise<void> {
    const batch = await this.#known(id)
    if (batch.entry.owner?.id === owner) batch.entry = { ...batch.entry, owner: undefined }
  }

  async detach(id: BatchId, tokenServers: readonly string[]): Promise<void> {
    const batch = await this.#known(id)
    batch.entry = { ...batch.entry, attached: false, tokenServers, owner: undefined }
  }

  async setPlanned(id: BatchId, planned: number, plannedBytes: number, complete: boolean): Promise<void> {
    const batch = await this.#known(id)
    const before = batch.entry.planned
    batch.entry = { ...batch.entry, planned, planComplete: complete }
    batch.plannedBytes = plannedBytes
    if (before === 0 || complete) this.#tell({ kind: 'ready', id })
  }

  isOpen(id: BatchId, n: number, { server, attached, withToken }: Taker): Promise<boolean> {
    const { entry, ends } = this.#batches.get(id) ?? {}
    const isTheirs = entry?.attached === attached && (attached || entry.tokenServers.includes(server) === withToken)
    return Promise.resolve(isTheirs && entry.state === 'open' && n < entry.planned && !ends?.has(n))
  }

  settledIn(id: BatchId, from: number, to: number): Promise<readonly boolean[]> {
    const lines = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
    const ends = this.#batches.get(id)?.ends
    return Promise.resolve(lines.map((n) => ends?.has(n) ?? false))
  }

  statesIn(id: BatchId, from: number, to: number): Promise<readonly LineState[]> {
    const lines = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i)
    const ends = this.#batches.get(id)?.ends
    const stateOf = (n: number): LineState => {
      const state = ends?.get(n)?.state
      return state === undefined ? 'open' : state === 'done' || state === 'kept' ? 'there' : state
    }
    return Promise.resolve(lines.map(stateOf))
  }

  async settle(id: BatchId, n: number, end: Settled): Promise<boolean> {
    const { entry, ends, crashes } = await this.#known(id)
    if (ends.has(n)) return false
    ends.set(n, end)
    if (end.state === 'done' || end.state === 'kept') crashes.delete(n)
    if (entry.planComplete && ends.size >= entry.planned) this.#tell({ kind: 'ready', id })
    return true
  }

  async settleAll(id: BatchId, ends: readonly SettledLine[]): Promise<number> {
    const counted = await Promise.all(ends.map(({ n, state, bytes }) => this.settle(id, n, { state, bytes })))
    return counted.filter(Boolean).length
  }

  async reopen(id: BatchId, lines: readonly number[], from: 'failed' | 'waiting'): Promise<number> {
    const { ends, crashes } = await this.#known(id)
    const closed = new Set(lines.filter((n) => ends.get(n)?.state === from))
    for (const n of closed) {
      ends.delete(n)
      crashes.delete(n)
    }
    return closed.size
  }

  firstOpen(id: BatchId): Promise<number> {
    const ends = this.#batches.get(id)?.ends
    let n = 0
    while (ends?.has(n)) n += 1
    return Promise.resolve(n)
  }

  async *failed(id: BatchId): AsyncGenerator<number> {
    yield* await Promise.resolve(this.#failures(id).map(([n]) => n))
  }

  errorsAt(id: BatchId, lines: readonly number[]): Promise<readonly LedgerError[]> {
    const all = this.#failures(id).flatMap(([n, { error }]) => (error && lines.includes(n) ? { n, ...error } : []))
    return Promise.resolve(all)
  }

  async *errors(id: BatchId): AsyncGenerator<LedgerError> {
    yield* await Promise.resolve(this.#failures(id).flatMap(([n, { error }]) => (error ? { n, ...error } : [])))
  }

  async summary(id: BatchId): Promise<Summary> {
    const { entry, plannedBytes, ends, corrected } = await this.#known(id)
    const of = (state: Settled['state']): Settled[] => [...ends.values()].filter((end) => end.state === state)
    const bytes = (some: Settled[]): number => some.reduce((sum, end) => sum + end.bytes, 0)
    const [done, kept, failed, waiting] = [of('done'), of('kept'), of('failed'), of('waiting')]
    return {
      planned: entry.planned,
      planComplete: entry.planComplete,
      plannedBytes,
      done: done.length,
      kept: kept.length,
      failed: failed.length,
      waiting: waiting.length,
      bytes: bytes(done),
      keptBytes: bytes(kept),
      ...corrected,
    }
  }

  keepPart(id: BatchId, n: number, bytes: number): Promise<void> {
    this.#batches.get(id)?.parts.set(n, bytes)
    return Promise.resolve()
  }

  parts(id: BatchId, held: readonly HeldLine[] = []): Promise<ReadonlyMap<number, number>> {
    const { parts = [], ends } = this.#batches.get(id) ?? {}
    const all = [...parts, ...held.map(({ n, bytes }) => [n, bytes] as const)]
    return Promise.resolve(new Map(all.filter(([n]) => !ends?.has(n))))
  }

  async nextLooks(id: BatchId): Promise<ReadonlyMap<string, number>> {
    return (await this.#known(id)).looks
  }

  async setNextLook(id: BatchId, server: string, at: number): Promise<void> {
    const { looks } = await this.#known(id)
    looks.set(server, at)
  }

  async crashed(id: BatchId, n: number): Promise<number> {
    const { crashes } = await this.#known(id)
    const count = (crashes.get(n) ?? 0) + 1
    crashes.set(n, count)
    return count
  }

  async correct(id: BatchId, counts: Counts): Promise<void> {
    const batch = await this.#known(id)
    batch.corrected = counts
  }

  forget(id: BatchId): Promise<void> {
    this.#batches.delete(id)
    this.#tell({ kind: 'batch', id, state: 'forgotten' })
    return Promise.resolve()
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): Promise<void> {
    this.#listeners.clear()
    return Promise.resolve()
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change)
  }

  #failures(id: BatchId): [number, Settled][] {
    const ends = [...(this.#batches.get(id)?.ends ?? [])]
    return ends.filter(([, end]) => end.state === 'failed').sort(([a], [b]) => a - b)
  }

  #known(id: BatchId): Promise<Kept> {
    const batch = this.#batches.get(id)
    return batch ? Promise.resolve(batch) : Promise.reject(unknownBatch(id))
  }
}
