import { z } from 'zod'
import { createHash } from 'node:crypto'
import { eachConcurrently } from '../async/each-concurrently.ts'
import { nothing } from '../async/nothing.ts'
import type { LineSet } from '../batch/line-set.ts'
import { DataferryError } from '../errors.ts'
import { DAY_MS } from '../model/calendar.ts'
import { sameChecksum } from '../model/checksum.ts'
import type { FoundDataset, MirrorSource } from '../model/mirror-source.ts'
import type { Committed, Sink } from '../sinks/sink.ts'
import { compare, pairs } from './compare.ts'
import { isErrorOf } from './errors.ts'
import { linesFetched } from './fetched.ts'
import { foundSchema, harvestedIn, searchScope, walkCollections } from './found.ts'
import { joined } from './joined.ts'
import { askAbout, mayLeave } from './leaving.ts'
import { LineWriter } from './line-writer.ts'
import { places, type MirrorOrder } from './order.ts'
import {
  dropPending,
  logName,
  NO_PROGRESS,
  readPending,
  unfinished,
  writePending,
  type Phase,
  type PendingRun,
} from './pending.ts'
import { publish } from './publish.ts'
import { readRun, type RunReport } from './report.ts'
import { heldDatasets, PARTS, readLines, readState } from './state.ts'
import { storeDatasets, type DatasetStore } from './store.ts'

/** How long what the search does not show may go unseen. */
const FULL_AFTER_MS = PARTS * DAY_MS
/** A nightly run that begins a little earlier than the night before need not wait a day more. */
const SLACK_MS = 60 * 60 * 1000
const ALL_PARTS = Array.from({ length: PARTS }, (_, part) => part)
/** Files that are moved or linked at the same time. */
const AT_A_TIME = 8
/** A key for looks at paths that belong to no batch. */
const KEY = 'mirror'

/** What is to be fetched: lines of `mirror-entries.ts`. */
export interface Lacking {
  readonly sha256: string
  readonly files: number
  readonly bytes: () => AsyncIterable<Uint8Array>
}

export interface MirrorRunOptions {
  readonly order: MirrorOrder
  readonly sink: Sink
  readonly source: MirrorSource
  /** Undefined: datasets are folders. */
  readonly store?: DatasetStore | undefined
  /** Look at every dataset, whatever the search says. */
  readonly full: boolean
  /** Guestbooks are answered in this run. */
  readonly answers?: boolean
  /** Share of the datasets that may leave in this run; default: as the order says. */
  readonly maxRemovals?: number | undefined
  readonly now: () => Date
  readonly signal: AbortSignal
  /** Told what is done next. */
  readonly onPhase: (phase: Phase, run: PendingRun) => void
  /** Requests so far, by kind. */
  readonly requests: () => Readonly<Record<string, number>>
  /**
   * Brings what is lacking home as a batch, or goes on with it.
   * @param batch the one that an earlier command began
   * @param begun is told the id of the batch before anything is fetched
   */
  readonly fetch: (
    lacking: Lacking,
    batch: string | undefined,
    begun: (batch: string) => Promise<void>,
  ) => Promise<'ended' | 'parked'>
  /** Drops a batch whose outcome is in the state of the mirror. Repeatable. */
  readonly forget: (batch: string) => Promise<void>
}

/** How a command to run a mirror went. */
export interface RunEnd {
  readonly report: RunReport
  /** It was a run that had begun earlier, and did less than is asked for now: another one is to follow. */
  readonly isLess: boolean
}

/**
 * One run of a mirror, or the rest of one that was cut short: finds what the server has, compares it with what is held, brings
 * home what is lacking, and records the new state and what changed. Every step can be repeated.
 * @returns undefined when fetching was parked
 */
export async function runMirror(options: MirrorRunOptions): Promise<RunEnd | undefined> {
  const { sink, order } = options
  const earlier = await readPending(sink.records, order.name)
  const isLess = earlier !== undefined && doesLess(earlier, options)
  const begins = earlier === undefined || (isLess && onlyLooked(earlier))
  const report = await new MirrorRun(options, begins ? await newRun(options) : earlier).run()
  return report && { report, isLess: isLess && !begins }
}

/**
 * A run that only looks at what would change; who asked for it drops what it left. Rejects with `MIRROR_BUSY` where an earlier
 * run has begun to change something.
 */
export async function beginPreview(options: MirrorRunOptions): Promise<Pick<MirrorRun, 'preview'>> {
  const { sink, order } = options
  const earlier = await readPending(sink.records, order.name)
  if (earlier && !onlyLooked(earlier)) throw unfinished(order.name, earlier)
  return new MirrorRun(options, { ...(await newRun(options)), preview: true })
}

/** Whether a run has changed nothing yet at the destination. */
function onlyLooked({ phase }: PendingRun): boolean {
  return phase === 'sweep' || phase === 'compare'
}

/** Whether a run that was cut short does less than a command asks for. */
function doesLess(run: PendingRun, { full, maxRemovals }: MirrorRunOptions): boolean {
  const { refused } = run
  return (full && !run.full) || (maxRemovals !== undefined && refused !== undefined)
}

/** A run from its beginning: nothing that another one left, a killed preview included, is taken for its own. */
async function newRun({ sink, order, full, now }: MirrorRunOptions): Promise<PendingRun> {
  await dropPending(sink.records, order.name)
  const startedAt = now().toISOString()
  const state = await readState(sink.records, order.name)
  const due = state ? dueParts(state.swept, now()) : []
  const parts = full ? ALL_PARTS : due
  return {
    v: 1,
    run: startedAt.replaceAll(':', '-'),
    startedAt,
    sweep: parts.length === PARTS ? 'full' : 'quick',
    ...(parts.length === PARTS && !full && { why: 'The last full sweep was more than 7 days ago.' }),
    full,
    parts,
    phase: 'sweep',
    progress: NO_PROGRESS,
    lost: [],
    arranged: { moved: 0, superseded: 0 },
    linked: 0,
    copied: 0,
    unlinked: [],
    unstored: [],
    unknown: [],
    inTheWay: [],
    requests: {},
  }
}

/**
 * Parts of the datasets that are to be looked at in full. Those that were looked at together fall due a day apart, the last of them
 * after a week, so that a mirror that runs daily looks at one of them a night.
 */
function dueParts(swept: readonly string[], now: Date): number[] {
  return swept.flatMap((time, part) => {
    const others = swept.slice(0, part).filter((other) => other === time).length
    return now.getTime() - Date.parse(time) >= FULL_AFTER_MS - others * DAY_MS - SLACK_MS ? [part] : []
  })
}

class MirrorRun {
  readonly #options: MirrorRunOptions
  /** Requests of earlier processes that had this run. */
  readonly #before: PendingRun['requests']
  #run: PendingRun

  constructor(options: MirrorRunOptions, run: PendingRun) {
    this.#options = options
    this.#before = run.requests
    this.#run = run
  }

  async run(): Promise<RunReport | undefined> {
    const { sink, order, store } = this.#options
    await store?.tidy()
    await this.#prepare()
    await this.#phase('clear', 'place', () => this.#clear())
    await this.#phase('place', 'fetch', () => this.#place())
    if (this.#run.phase === 'fetch') {
      this.#tell()
      if ((await this.#fetch()) === 'parked') return undefined
      await this.#save({ phase: 'link' })
    }
    await this.#phase('link', 'store', () => this.#link())
    await this.#phase('store', 'publish', () => this.#store())
    if (this.#run.phase === 'publish') {
      await publish({ records: sink.records, order, run: this.#run, now: this.#options.now() })
      // From here on nothing of the run is read any more: the state is that of its end.
      await this.#save({ phase: 'done' })
    }
    const report = await readRun(sink.records, order.name, this.#run.run)
    if (this.#run.batch !== undefined) await this.#options.forget(this.#run.batch)
    await dropPending(sink.records, order.name)
    return report
  }

  async preview(): Promise<PendingRun> {
    await this.#prepare()
    return this.#run
  }

  /** Finds out what is to be done. */
  async #prepare(): Promise<void> {
    if (this.#run.phase === 'sweep') {
      this.#tell()
      await this.#save({})
      await this.#sweep()
      await this.#save({ phase: 'compare' })
    }
    if (this.#run.phase !== 'compare') return
    this.#tell()
    const { order, sink, source, now, signal } = this.#options
    // What an earlier process refused is judged anew.
    this.#run = { ...this.#run, refused: undefined }
    const mayAlsoLeave = await this.#judge()
    const { refused } = await compare({
      order,
      source,
      records: sink.records,
      now: now(),
      keeps: !this.#run.preview,
      asksAgain: this.#run.full,
      answers: this.#options.answers === true,
      signal,
      run: this.#run,
      mayLeave: mayAlsoLeave,
      onProgress: (progress) => this.#save({ progress }),
    })
    await this.#save({ phase: 'clear', ...(refused > 0 && { refused: (this.#run.refused ?? 0) + refused }) })
  }

  async #phase(phase: Phase, next: Phase, work: () => Promise<void>): Promise<void> {
    if (this.#run.phase !== phase) return
    this.#tell()
    await work()
    await this.#save({ phase: next })
  }

  #tell(): void {
    this.#options.onPhase(this.#run.phase, this.#run)
  }

  async #save(change: Partial<PendingRun>): Promise<void> {
    const { sink, order, requests } = this.#options
    this.#run = { ...this.#run, ...change, requests: added(this.#before, requests()) }
    await writePending(sink.records, order.name, this.#run)
  }

  /** Writes down every dataset that is found; where the index does not answer, what the database holds. */
  async #sweep(): Promise<void> {
    try {
      await this.#writeFound(true)
    } catch (error) {
      if (!isErrorOf(error, ...NO_SEARCH)) throw error
      if (this.#options.order.scope.kind !== 'collections') {
        const message = `Only a search can tell what mirror ${this.#options.order.name} is of, and it fails: ${error.message}`
        throw new DataferryError('SOURCE_FAILED', message, { cause: error })
      }
      await this.#save({ noIndex: true })
      await this.#sweepInFull(`The search did not answer: ${error.message}`)
      // What the index had told so far may lack what the database has.
      await this.#options.sink.records.remove(logName(this.#options.order.name, 'found'))
      await this.#writeFound(false)
    }
  }

  async #sweepInFull(why: string): Promise<void> {
    await this.#save({ sweep: 'full', parts: ALL_PARTS, why })
  }

  /** By ascending id, going on after the last one that is there. */
  async #writeFound(searches: boolean): Promise<void> {
    const { sink, order } = this.#options
    const name = logName(order.name, 'found')
    let after = 0
    let length = 0
    for await (const found of readLines(sink.records, name, foundSchema)) {
      after = found.id
      length += Buffer.byteLength(`${JSON.stringify(found)}\n`)
    }
    const log = new LineWriter(await sink.records.appendTo(name, length))
    try {
      const unknown: string[] = []
      for await (const found of this.#find(after, searches, unknown)) await log.add(foundSchema.parse(found))
      await this.#save({ unknown })
    } finally {
      // What was found before a failure need not be found again.
      await log.flush().finally(() => log.close())
    }
  }

  async *#find(after: number, searches: boolean, unknown: string[]): AsyncGenerator<FoundDataset, void> {
    const { source, order, signal, sink } = this.#options
    const { scope, name } = order
    const idOf = new Map<string, number>()
    if (scope.kind === 'datasets') for await (const { pid, id } of heldDatasets(sink.records, name)) idOf.set(pid, id)
    const known = { idOf, onUnknown: (pid: string) => void unknown.push(pid) }
    const searched = searches ? searchScope(source, scope, after, known, signal) : nothing()
    if (scope.kind !== 'collections' || (searches && this.#run.parts.length === 0)) {
      yield* searched
      return
    }
    const inDatabase = joined(this.#walk(scope.collections, after, searches), heldDatasets(sink.records, name))
    // Harvested datasets have their files elsewhere, and only the index tells.
    const harvested = searches ? harvestedIn(source, scope.collections, after, signal) : nothing()
    for await (const { left: own, right: elsewhere } of joined(joined(searched, inDatabase), harvested)) {
      const [found, there, held] = [own?.left, own?.right?.left, own?.right?.right]
      // The database decides what there is, where it was read; the index alone knows what is only linked.
      if (found) {
        if (there || scope.linked || this.#run.parts.length === 0) yield found
      } else if (there && (held || !elsewhere)) {
        yield there
      }
    }
  }

  /** What the database holds; nothing where a collection cannot be read and a search tells what there is: no part counts as swept then. */
  async *#walk(collections: readonly string[], after: number, searches: boolean): AsyncGenerator<FoundDataset, void> {
    const { source, signal } = this.#options
    try {
      yield* walkCollections(source, collections, after, signal)
    } catch (error) {
      if (!searches || !isErrorOf(error, ...UNREADABLE)) throw error
      const why = `Only what the search finds was looked for, as a collection cannot be read: ${error.message}`
      await this.#save({ sweep: 'quick', parts: [], why })
    }
  }

  /**
   * Asks what became of the datasets that were not found, and records it, unless more would leave than may: then none does.
   * @returns whether so many more may leave
   */
  async #judge(): Promise<(more: number) => boolean> {
    const { sink, order, source, signal, maxRemovals = order.maxRemovals } = this.#options
    const { held, missing } = await this.#missing()
    const { sweep, why } = this.#run
    // One that has a reason has found that the collections cannot be read.
    const mayWalk = sweep === 'quick' && why === undefined && order.scope.kind === 'collections'
    if (mayWalk && !mayLeave(missing, held, undefined)) {
      // The phase first: without what was found, everything would seem to have gone.
      await this.#save({ phase: 'sweep' })
      await sink.records.remove(logName(order.name, 'found'))
      await this.#sweepInFull(`The search did not find ${missing} of ${held} datasets that are held.`)
      await this.#sweep()
      await this.#save({ phase: 'compare' })
      return this.#judge()
    }
    const name = logName(order.name, 'departures')
    const log = new LineWriter(await sink.records.appendTo(name, 0))
    let leaving = 0
    try {
      const all = missing > 0 ? pairs(sink.records, order.name) : nothing()
      for await (const { found, old } of all) {
        if (found || old?.state !== 'current') continue
        const departure = await askAbout(old, { order, source, signal, hasIndex: !this.#run.noIndex })
        if (departure.state !== 'current') leaving++
        if (!mayLeave(leaving, held, maxRemovals)) break
        await log.add(departure)
      }
      await log.flush()
    } finally {
      await log.close()
    }
    if (mayLeave(leaving, held, maxRemovals)) return (more) => mayLeave(leaving + more, held, maxRemovals)
    await sink.records.remove(name)
    await this.#save({ refused: missing })
    return () => false
  }

  /** Datasets that are held as current, and how many of these were not found. */
  async #missing(): Promise<{ readonly held: number; readonly missing: number }> {
    let [held, missing] = [0, 0]
    for await (const { found, old } of pairs(this.#options.sink.records, this.#options.order.name)) {
      if (old?.state !== 'current') continue
      held++
      if (!found) missing++
    }
    return { held, missing }
  }

  /** Takes files away from where they were: afterwards every place that another file is to have is free. */
  async #clear(): Promise<void> {
    const { sink, order, signal } = this.#options
    await eachConcurrently(this.#moves(), AT_A_TIME, async ({ n, from }) => {
      const moving = places.moving(order.name, this.#run.run, n)
      if (await sink.stat(moving, KEY, signal)) await sink.remove(from)
      else await sink.move(from, moving, signal)
    })
  }

  async #place(): Promise<void> {
    const { sink, order, signal } = this.#options
    const lost: string[] = []
    const inTheWay: string[] = []
    let superseded = 0
    await eachConcurrently(this.#moves(), AT_A_TIME, async ({ n, to }) => {
      if (to.startsWith('.dataferry/')) superseded++
      const moving = places.moving(order.name, this.#run.run, n)
      const [ours, there] = [await sink.stat(moving, KEY, signal), await sink.stat(to, KEY, signal)]
      // While ours still waits, whatever is there is somebody else's, unless a store had made the copy before this was repeated.
      if (ours && there && !isCopy(ours, there)) await this.#makeWay(to, inTheWay)
      const placed = await sink.move(moving, to, signal)
      if (!placed && !(await sink.stat(to, KEY, signal))) lost.push(to)
    })
    await this.#save({
      lost,
      inTheWay: [...this.#run.inTheWay, ...inTheWay],
      arranged: { superseded, moved: this.#run.progress.moves - superseded },
    })
  }

  /** Moves a file aside that is no file of the mirror. */
  async #makeWay(path: string, moved: string[]): Promise<void> {
    const { sink, order, signal } = this.#options
    if (path.startsWith('.dataferry/')) return
    const aside = places.inTheWay(order.name, this.#run.run, path)
    if (await sink.move(path, aside, signal)) moved.push(aside)
  }

  async #fetch(): Promise<'ended' | 'parked'> {
    const { sink, order, fetch } = this.#options
    const { items: files } = this.#run.progress
    if (files === 0) return 'ended'
    const bytes = (): AsyncIterable<Uint8Array> => sink.records.streamLog(logName(order.name, 'manifest'), 0)
    const hash = createHash('sha256')
    for await (const chunk of bytes()) hash.update(chunk)
    const lacking = { sha256: hash.digest('hex'), files, bytes }
    return fetch(lacking, this.#run.batch, (batch) => this.#save({ batch }))
  }

  /** Gives files their further paths. What cannot be linked, as its file did not come, is missing. */
  async #link(): Promise<void> {
    const { sink, signal } = this.#options
    if (this.#run.progress.lengths.links === 0) return
    const fetched = await linesFetched(sink.records, this.#run.batch)
    if (!this.#run.wayMade) await this.#makeWayForLinks(fetched)
    const unlinked: string[] = []
    let [linked, copied] = [0, 0]
    await eachConcurrently(this.#links(fetched), AT_A_TIME, async ({ from, to }) => {
      const link = await sink.link(from, to, signal)
      if (!link) unlinked.push(from, to)
      else if (link === 'linked') linked++
      else copied++
    })
    await this.#save({ linked, copied, unlinked })
  }

  async #store(): Promise<void> {
    const { sink, order, store, signal } = this.#options
    if (store) await this.#save(await storeDatasets({ store, sink, order, run: this.#run, signal }))
  }

  async #makeWayForLinks(fetched: LineSet): Promise<void> {
    const { sink, signal } = this.#options
    const inTheWay: string[] = []
    await eachConcurrently(this.#links(fetched), AT_A_TIME, async ({ from, to }) => {
      if (await sink.stat(from, KEY, signal)) await this.#makeWay(to, inTheWay)
    })
    await this.#save({ wayMade: true, inTheWay: [...this.#run.inTheWay, ...inTheWay] })
  }

  /** Links of files that were held before, or were fetched: at the place of one that did not come lies what is somebody else's. */
  async *#links(fetched: LineSet): AsyncGenerator<z.infer<typeof linkSchema>, void> {
    const { sink, order, store } = this.#options
    for await (const link of readLines(sink.records, logName(order.name, 'links'), linkSchema)) {
      // An object has what comes now by all its names.
      if (link.item === undefined || (!store && fetched.has(link.item))) yield link
    }
  }

  #moves(): AsyncIterable<z.infer<typeof moveSchema>> {
    const { sink, order } = this.#options
    return readLines(sink.records, logName(order.name, 'moves'), moveSchema)
  }
}

function isCopy(one: Committed, other: Committed): boolean {
  if (!one.proof || !other.proof || one.size !== other.size) return false
  return sameChecksum(one.proof.checksum, other.proof.checksum)
}

const count = z.number().int().nonnegative()
const moveSchema = z.object({ from: z.string(), to: z.string(), n: count })
/** `item`: the line of the plan that brings the file. */
const linkSchema = z.object({ from: z.string(), to: z.string(), item: count.optional() })

function added(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const sum = { ...a }
  for (const [kind, count] of Object.entries(b)) sum[kind] = (sum[kind] ?? 0) + count
  return sum
}

/** What a search ends with where there is no index, or a broken one. */
const NO_SEARCH = ['SOURCE_NOT_LISTED', 'SOURCE_NOT_FOUND', 'SOURCE_REJECTED', 'SOURCE_MISLISTED'] as const
/** What a walk ends with that cannot read one of the collections. */
const UNREADABLE = [...NO_SEARCH, 'SOURCE_DENIED'] as const
