import { every, type Repeated } from '../async/every.ts'
import { within } from '../async/within.ts'
import { DataferryError, isAbort, messageOf } from '../errors.ts'
import type { MirrorRuns } from '../ledger/mirror-runs.ts'
import type { Slots } from '../ledger/slots.ts'
import { livenessOf } from '../process/process-identity.ts'
import { hasEnded, readStatus, urgency, type BatchStatus, type StatusSources } from '../status.ts'
import type { BatchView, DestinationView, Overview, ServerView, WorkerView } from './api/schemas.ts'
import { attentionOf, isHeard } from './attention.ts'
import { History, type Series, type Span } from './history.ts'
import { Paces } from './paces.ts'
import type { Places } from './places.ts'
import { batchView, serverView, workerView } from './views.ts'
import { workersWanted } from './workers-wanted.ts'

export interface ObserverSources extends StatusSources {
  readonly slots: Pick<Slots, 'list'>
  readonly runs: Pick<MirrorRuns, 'list'>
  readonly places: Places
  /** Streams per server without a limit of its own. */
  readonly usualLimit: number
  /** URLs of destinations that are shown whether or not a batch goes there. */
  readonly destinations: readonly string[]
  /** Why Redis is waited for, if it is. */
  readonly trouble: () => string | undefined
  /** URLs of further destinations that may have mirrors. */
  readonly scheduled: () => Promise<readonly string[]>
}

/** Everything at one moment. */
export interface Seen {
  readonly at: number
  readonly batches: readonly BatchView[]
  readonly servers: readonly ServerView[]
  readonly workers: readonly WorkerView[]
  readonly overview: Overview
}

/** However many people look, Redis is asked once in so long. */
const FRESH_MS = 900
/** Schedules are read anew once in so long. */
const SCHEDULED_MS = 15_000
/** The charts need no more. */
const SAMPLE_MS = 5_000
const PATIENCE_MS = 4_000
const SHOWN = 50
/** Destinations of so many of the newest batches are looked at. */
const NEWEST = 20

/** Looks at Redis and the destinations for everybody who watches, and remembers how fast things went. */
export class Observer {
  readonly #sources: ObserverSources
  readonly #paces = new Paces()
  readonly #history = new History()
  #looking: Promise<Seen> | undefined
  #last: Seen | undefined
  #sampling: Repeated | undefined
  #scheduled: { readonly at: number; readonly urls: readonly string[] } | undefined

  constructor(sources: ObserverSources) {
    this.#sources = sources
  }

  /**
   * Begins to look now and then, which fills the charts. The caller ends it with `stop`.
   * @param also what is to be done with each look
   */
  start(also: (seen: Seen) => Promise<void>): void {
    const sample = async (): Promise<void> => also(await this.look())
    // A look that fails leaves a gap in the charts, and the next one tells why.
    this.#sampling = every(SAMPLE_MS, sample, () => undefined)
  }

  async stop(): Promise<void> {
    if (this.#sampling) await within(PATIENCE_MS, this.#sampling.stop())
  }

  /**
   * The state of everything. Rejects with `REDIS_UNAVAILABLE` when Redis does not answer.
   * @param maxAgeMs how old it may be; 0: what is begun now
   */
  async look(maxAgeMs = FRESH_MS): Promise<Seen> {
    if (maxAgeMs === 0) await this.#looking
    if (this.#last && Date.now() - this.#last.at < maxAgeMs) return this.#last
    this.#looking ??= this.#lookNow().finally(() => (this.#looking = undefined))
    const seen = await within(PATIENCE_MS, this.#looking)
    if (seen) return seen
    throw this.#away()
  }

  /** As `look`, for people: while Redis is away, what was seen last, and that it is. */
  async overview(): Promise<Overview> {
    try {
      return (await this.look()).overview
    } catch (error) {
      if (isAbort(error)) throw error
      const text = error instanceof DataferryError ? error.message : messageOf(error)
      const last = this.#last?.overview ?? NOTHING
      const advice = 'What is shown is what was seen last. Workers wait, and go on by themselves.'
      const told = {
        urgency: 'waiting',
        kind: 'redis',
        subject: 'Redis',
        text,
        advice,
        since: null,
        nextLook: null,
      } as const
      return {
        ...last,
        at: new Date().toISOString(),
        bytesPerSecond: 0,
        filesPerSecond: 0,
        attention: [told, ...last.attention],
      }
    }
  }

  history(span: Span): Series {
    return this.#history.read(span, Date.now() / 1_000)
  }

  #away(): DataferryError {
    return new DataferryError('REDIS_UNAVAILABLE', this.#sources.trouble() ?? 'Redis does not answer.')
  }

  async #lookNow(): Promise<Seen> {
    const { slots, usualLimit, places } = this.#sources
    const status = await readStatus(this.#sources)
    const now = Date.now()
    const gain = this.#paces.note(performance.now(), status.batches)
    if (this.#last) this.#history.add(now / 1_000, gain.bytes, gain.files)
    const batches = status.batches.map((batch) => batchView(batch, this.#paces.of(batch.id)))
    const [workers, servers, destinations] = await Promise.all([
      Promise.all(status.workers.map(async (one) => workerView(one, await livenessOf(one)))),
      Promise.all(status.servers.map(async (one) => serverView(one, await slots.list(one.server), usualLimit, now))),
      places.destinations(...(await this.#destinations(status.batches))),
    ])
    const attention = attentionOf(status, workers, destinations, now)
    const overview = this.#summarize({ at: now, batches, servers, workers, destinations }, status.batches)
    this.#last = { at: now, batches, servers, workers, overview: { ...overview, attention: [...attention] } }
    return this.#last
  }

  /** URLs of the destinations to look at, and of those that are used now. */
  async #destinations(
    batches: readonly BatchStatus[],
  ): Promise<readonly [urls: readonly string[], used: ReadonlySet<string>]> {
    const urlsOf = (some: readonly BatchStatus[]): string[] => some.map(({ destination }) => destination)
    const used = urlsOf(batches.filter((batch) => !hasEnded(batch)))
    const known = [...this.#sources.destinations, ...(await this.#scheduledUrls())]
    return [[...known, ...used, ...urlsOf(batches.slice(-NEWEST))], new Set(used)]
  }

  /** Mirrors forget their batches: where they go is known from what is scheduled. */
  async #scheduledUrls(): Promise<readonly string[]> {
    const now = performance.now()
    if (!this.#scheduled || now - this.#scheduled.at > SCHEDULED_MS) {
      this.#scheduled = { at: now, urls: await this.#sources.scheduled().catch(() => []) }
    }
    return this.#scheduled.urls
  }

  /** Every destination, for mirrors. Rejects as `look` does. */
  async destinationUrls(): Promise<readonly string[]> {
    const { ledger, runs, destinations } = this.#sources
    // Mirrors forget their batches.
    const known = await within(PATIENCE_MS, Promise.all([ledger.list(), runs.list()]))
    if (!known) throw this.#away()
    return [...destinations, ...(await this.#scheduledUrls()), ...known.flat().map((one) => one.destination)]
  }

  #summarize(
    seen: Pick<Seen, 'at' | 'batches' | 'servers' | 'workers'> & { readonly destinations: readonly DestinationView[] },
    known: readonly BatchStatus[],
  ): Omit<Overview, 'attention'> {
    const { batches, servers, workers, destinations } = seen
    const byId = new Map(batches.map((batch) => [batch.id, batch]))
    const unfinished = known
      .filter((batch) => !hasEnded(batch))
      .sort((a, b) => urgency(b) - urgency(a) || b.createdAt.localeCompare(a.createdAt))
    const heard = workers.filter(isHeard)
    const sum = (key: 'bytesPerSecond' | 'filesPerSecond'): number =>
      batches.reduce((total, batch) => total + (batch[key] ?? 0), 0)
    return {
      at: new Date(seen.at).toISOString(),
      batches: unfinished.slice(0, SHOWN).flatMap(({ id }) => byId.get(id) ?? []),
      unfinished: unfinished.length,
      finished: batches.length - unfinished.length,
      bytesPerSecond: sum('bytesPerSecond'),
      filesPerSecond: sum('filesPerSecond'),
      servers: [...servers],
      destinations: [...destinations],
      workers: {
        alive: heard.length,
        silent: workers.filter((one) => one.alive !== 'dead').length - heard.length,
        items: heard.reduce((total, { holds }) => total + holds.length, 0),
        wanted: workersWanted(servers, this.#sources.usualLimit),
      },
    }
  }
}

const NOTHING: Overview = {
  at: '',
  attention: [],
  batches: [],
  unfinished: 0,
  finished: 0,
  bytesPerSecond: 0,
  filesPerSecond: 0,
  servers: [],
  destinations: [],
  workers: { alive: 0, silent: 0, items: 0, wanted: 0 },
}
