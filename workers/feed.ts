import type { BundleJob } from '../jobs/bundle.ts'
import type { ItemJob } from '../jobs/item.ts'
import type { FeedJob } from '../jobs/feed.ts'
import { itemScope, type Scope } from '../jobs/scope.ts'
import type { BundleOptions } from '../src/archive/plan-bundles.ts'
import type { Ledger, LedgerEntry } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import type { Batches, OpenBatch } from './batches.ts'
import { BLOCK, blockJobs, windowOfBundles } from './feed-blocks.ts'
import type { Looks } from './looks.ts'
import { problemOf, settleProblem } from './settle.ts'
import { OVER, type Step } from './step.ts'

export interface FeedDeps {
  /** Whose jobs are fed. */
  readonly scope: Scope
  readonly ledger: Ledger
  readonly batches: Pick<Batches, 'open'>
  /** Whether a person paused a server. */
  readonly isPaused: (server: string) => boolean
  /** Items that are queued for a server now, in whatever state. */
  readonly queued: (server: string) => Promise<number>
  readonly add: (server: string, jobs: readonly ItemJob[]) => Promise<void>
  /** Removes jobs of these items that would block adding them; see `removeOrphans`. */
  readonly removeOrphans: (server: string, jobs: readonly ItemJob[]) => Promise<void>
  /** Asks for the report of a batch whose every line has ended; repeatable. */
  readonly askReport: (batch: string) => Promise<void>
  /** Jobs to keep queued for a server. */
  readonly window: (server: string) => Promise<number>
  /** Share of Redis' memory that is in use; undefined: unlimited. */
  readonly memoryPressure: () => Promise<number | undefined>
  readonly notice: (message: string | undefined) => void
  /** Looks for what waits. */
  readonly looks: Pick<Looks, 'due' | 'isLooking' | 'leave'>
  /** Bundles small files of one dataset. */
  readonly bundles?: {
    /** Undefined: not in this batch, or no longer on this server. */
    readonly options: (opened: OpenBatch, server: string) => Promise<BundleOptions | undefined>
    readonly add: (server: string, jobs: readonly BundleJob[]) => Promise<void>
    readonly isQueued: (server: string, job: BundleJob) => Promise<boolean>
  }
}

const IDLE_MS = 250
const HELD_MS = 1_000
const MIN_WAIT_MS = 10
/** Longest time between two passes where everything that is left waits. */
const WAITING_MS = 5_000
/** Lines looked at in one pass, so that a pass is short even where all have ended. */
const LINES_PER_PASS = 20_000
const CHUNK = 1_000
const MAX_MEMORY = 0.65
/** How often feeding looks again for open lines whose job is gone or an orphan. */
const REWIND_MS = 10_000

/** How far feeding has got, and how fast its window drains; times by a monotonic clock. */
interface Cursor {
  next: number
  rewoundAt: number
  /** When orphans among the jobs of open lines were removed. */
  clearedAt: number
  /** Ids of bundles that were queued. */
  readonly bundled: Set<string>
  drained: { at: number; perMs: number }
}

/** The position of feeding. */
interface Place {
  readonly cursor: Cursor
  readonly entry: LedgerEntry
  readonly opened: OpenBatch
  readonly server: string
  /** Whether orphans among the jobs are removed in this pass. */
  readonly clearing: boolean
}

/**
 * Keeps a server's window of jobs full for one batch, pass by pass. The cursor is only a convenience of this process:
 * without one, whenever the window is empty, and now and then at the end, feeding starts at the first line that has not
 * ended. So a killed producer, a resume, a retry and a new Redis all follow one rule, and adding a job that is already queued
 * does nothing.
 */
export class Feeder {
  readonly #deps: FeedDeps
  readonly #cursors = new Map<string, Cursor>()

  constructor(deps: FeedDeps) {
    this.#deps = deps
  }

  /** One pass. @returns when the next one is due, or that the batch has ended */
  async pass({ batch, server }: FeedJob): Promise<Step> {
    const { ledger, batches } = this.#deps
    const known = await ledger.get(batch)
    const opened = known && (await batches.open(batch))
    // What stands at the destination is planned, whatever Redis says.
    const entry = known && opened && { ...known, planned: await opened.planned(known.planned) }
    if (!entry || entry.state === 'cancelled' || entry.state === 'finished') return this.#leave(batch, server)
    if (!opened.batch.servers.includes(server)) return this.#leave(batch, server)
    // It was left to workers, or taken over by a command, and is fed there.
    if (itemScope(entry, server) !== this.#deps.scope) return this.#leave(batch, server)
    if (entry.state === 'paused' || this.#deps.isPaused(server)) {
      // Whatever was queued ends without its item: feeding starts over afterwards.
      this.#leave(batch, server)
      return { kind: 'later', ms: HELD_MS }
    }
    const nextLookMs = await this.#deps.looks.due(entry, opened, server)
    if (await this.#hasEnded(entry)) {
      if (entry.state === 'waiting' && nextLookMs !== undefined)
        return { kind: 'later', ms: Math.min(nextLookMs, WAITING_MS) }
      // A report would only say what is about to change.
      if (this.#deps.looks.isLooking(batch)) return { kind: 'later', ms: IDLE_MS }
      await this.#deps.askReport(batch)
      return this.#forget(batch, server)
    }
    // Something that waited may continue.
    if (entry.state === 'waiting') await ledger.moveState(batch, ['waiting'], 'open')
    return { kind: 'later', ms: await this.#fill(entry, opened, server) }
  }

  /** As `#forget`, for a batch that is not looked after from here, or not now. */
  #leave(batch: string, server: string): Step {
    this.#deps.looks.leave(batch, server)
    return this.#forget(batch, server)
  }

  #forget(batch: string, server: string): Step {
    this.#cursors.delete(`${batch} ${server}`)
    return OVER
  }

  async #hasEnded(entry: LedgerEntry): Promise<boolean> {
    // Bits, not counters: a settle torn by a crash of Redis may have set one without the other.
    return entry.planComplete && (await this.#deps.ledger.firstOpen(entry.id)) >= entry.planned
  }

  /** Adds as much as there is room for. @returns how long to wait for the next pass, in ms */
  async #fill(entry: LedgerEntry, opened: OpenBatch, server: string): Promise<number> {
    const { queued, window, memoryPressure, notice } = this.#deps
    const bundles = await this.#deps.bundles?.options(opened, server)
    const size = bundles ? windowOfBundles(await window(server)) : await window(server)
    const before = await queued(server)
    const cursor = await this.#cursor(entry.id, server)
    const fedAll = cursor.next >= entry.planned
    // The window may never be empty, as other batches of the server share it: a line whose job is gone must not wait for that.
    if (before === 0 || (fedAll && isDue(cursor.rewoundAt))) await this.#rewind(cursor, entry.id)
    const pressure = await memoryPressure()
    if (pressure !== undefined && pressure > MAX_MEMORY) {
      notice(`Redis uses ${Math.round(pressure * 100)} % of its memory: feeding waits until there is room.`)
      return HELD_MS
    }
    notice(undefined)
    const room = size - before
    if (room <= 0) return wait(cursor, size)
    const clearing = fedAll && isDue(cursor.clearedAt)
    if (clearing) cursor.clearedAt = performance.now()
    const place = { cursor, entry, opened, server, clearing }
    const added = bundles ? await this.#addBlocks(place, room, bundles) : await this.#addFrom(place, room)
    learn(cursor, added)
    if (added >= room || cursor.next < entry.planned) return wait(cursor, size)
    return IDLE_MS
  }

  async #cursor(batch: string, server: string): Promise<Cursor> {
    const key = `${batch} ${server}`
    const known = this.#cursors.get(key)
    if (known) return known
    const cursor: Cursor = {
      next: 0,
      rewoundAt: 0,
      clearedAt: performance.now(),
      bundled: new Set(),
      drained: { at: performance.now(), perMs: 0 },
    }
    await this.#rewind(cursor, batch)
    this.#cursors.set(key, cursor)
    return cursor
  }

  async #rewind(cursor: Cursor, batch: string): Promise<void> {
    cursor.next = await this.#deps.ledger.firstOpen(batch)
    cursor.rewoundAt = performance.now()
  }

  async #add({ server, clearing }: Place, jobs: readonly ItemJob[]): Promise<void> {
    if (jobs.length === 0) return
    if (clearing) await this.#deps.removeOrphans(server, jobs)
    await this.#deps.add(server, jobs)
  }

  async #addFrom(place: Place, room: number): Promise<number> {
    const { cursor, entry, opened, server } = place
    const stopAt = Math.min(entry.planned, cursor.next + LINES_PER_PASS)
    let added = 0
    while (cursor.next < stopAt && added < room) {
      const to = Math.min(stopAt, cursor.next + CHUNK)
      const { items, next } = await this.#openLines(cursor.next, to, room - added, entry, opened, server)
      const jobs = items.map(({ n }) => ({ v: 1 as const, batch: entry.id, n }))
      await this.#add(place, jobs)
      added += jobs.length
      cursor.next = next
    }
    return added
  }

  /** As `addFrom`, block by block, so that small files travel together. */
  async #addBlocks(place: Place, room: number, options: BundleOptions): Promise<number> {
    const { cursor, entry } = place
    const stopAt = Math.min(entry.planned, cursor.next + LINES_PER_PASS)
    let added = 0
    while (cursor.next < stopAt && added < room) {
      const from = Math.floor(cursor.next / BLOCK) * BLOCK
      const to = Math.min(from + BLOCK, entry.planned)
      // What is bundled must not depend on how far planning has got.
      if (to < from + BLOCK && !entry.planComplete) break
      added += await this.#addBlock(place, from, to, options)
      cursor.next = to
    }
    return added
  }

  async #addBlock(place: Place, from: number, to: number, options: BundleOptions): Promise<number> {
    const { cursor, entry, opened, server } = place
    const { bundles } = this.#deps
    const settled = await this.#deps.ledger.settledIn(entry.id, from, to)
    if (!bundles || settled.every(Boolean)) return 0
    const items: Item[] = []
    for await (const item of opened.items.range(from, to)) {
      // A line that cannot be read names no server: the first feeder that comes to it ends it.
      if (problemOf(item, opened)) {
        if (settled[item.n - from] !== true) await settleProblem(item, opened, this.#deps)
      } else if (item.server === server) items.push(item)
    }
    const block = { batch: entry.id, items, isSettled: (n: number) => settled[n - from] === true }
    const jobs = await blockJobs(block, options, {
      ids: cursor.bundled,
      isQueued: (job) => bundles.isQueued(server, job),
    })
    if (jobs.bundles.length > 0) await bundles.add(server, jobs.bundles)
    await this.#add(place, jobs.singles)
    return jobs.bundles.length + jobs.singles.length
  }

  /** Up to `most` items of this server among the open lines, and the line after the last one looked at. */
  async #openLines(
    from: number,
    to: number,
    most: number,
    entry: LedgerEntry,
    opened: OpenBatch,
    server: string,
  ): Promise<{ items: Item[]; next: number }> {
    const settled = await this.#deps.ledger.settledIn(entry.id, from, to)
    const items: Item[] = []
    for (let n = from; n < to; n++) {
      if (settled[n - from] === true) continue
      if (items.length >= most) return { items, next: n }
      const item = await opened.items.item(n)
      if (problemOf(item, opened)) await settleProblem(item, opened, this.#deps)
      else if (item.server === server) items.push(item)
    }
    return { items, next: to }
  }
}

function isDue(lastAt: number): boolean {
  return performance.now() - lastAt >= REWIND_MS
}

/** Tracks how fast jobs leave: what was added now is what has left since the last pass. */
function learn({ drained }: Cursor, added: number): void {
  const now = performance.now()
  drained.perMs = added / Math.max(1, now - drained.at)
  drained.at = now
}

/** Long enough not to poll needlessly, short enough that half the window is left. */
function wait({ drained }: Cursor, window: number): number {
  if (drained.perMs === 0) return IDLE_MS
  return Math.round(Math.min(IDLE_MS, Math.max(MIN_WAIT_MS, window / 2 / drained.perMs)))
}
