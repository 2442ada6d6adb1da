import { DataferryError } from '../errors.ts'
import type { FoundDataset } from '../model/mirror-source.ts'
import { PathRegistry } from '../model/path-registry.ts'
import { isDay } from '../model/calendar.ts'
import { safePath } from '../model/path.ts'
import { datasetFolder } from '../plan/file-item.ts'
import { formatMirrorLine } from '../plan/mirror-entries.ts'
import type { Records } from '../sinks/sink.ts'
import type { Change } from './changes.ts'
import { comparedSchema, type Compared } from './compared.ts'
import { isErrorOf } from './errors.ts'
import { foundSchema } from './found.ts'
import { joined } from './joined.ts'
import { askAbout, departureSchema, isStill, Membership, type Departure } from './leaving.ts'
import { LineWriter } from './line-writer.ts'
import { Looker, type Looked } from './look.ts'
import type { LookOptions } from './metadata.ts'
import { listMirrors } from './order.ts'
import { filesName, logName, LOGS, type LogName, type PendingRun, type Progress } from './pending.ts'
import { countsOf, heldDatasets, PARTS, readLines, writeFilesRecord, type MirroredDataset } from './state.ts'

/** A dataset that was found, that is held, or both. */
interface Pair {
  readonly id: number
  readonly found: FoundDataset | undefined
  readonly old: MirroredDataset | undefined
}

/** What was found and what is held, joined by id. */
export async function* pairs(records: Records, mirror: string): AsyncGenerator<Pair> {
  const found = readLines(records, logName(mirror, 'found'), foundSchema)
  for await (const { id, left, right } of joined(found, heldDatasets(records, mirror))) {
    yield { id, found: left, old: right }
  }
}

export interface CompareOptions extends LookOptions {
  readonly run: PendingRun
  /** Whether so many more datasets may leave, besides those whose departure is on record. */
  readonly mayLeave: (more: number) => boolean
  /** Called after each checkpoint: what was compared until then counts. */
  readonly onProgress: (progress: Progress) => Promise<void>
}

/** Datasets between two checkpoints at most, and how long one waits for the next. */
const CHECKPOINT_DATASETS = 1_000
const CHECKPOINT_MS = 2_000

/** Finds what became of every dataset, and what is to be done for it; goes on after what counts already. */
export async function compare(options: CompareOptions): Promise<Progress> {
  const comparison = await Comparison.open(options)
  try {
    return await comparison.run()
  } finally {
    await comparison.close()
  }
}

class Comparison {
  readonly #options: CompareOptions
  readonly #logs: Readonly<Record<LogName, LineWriter>>
  readonly #looker: Looker
  readonly #membership: Membership
  #folders: Promise<PathRegistry> | undefined
  #progress: Progress
  #last = { datasets: 0, at: Date.now() }

  private constructor(options: CompareOptions, logs: Readonly<Record<LogName, LineWriter>>) {
    const { source, order, signal, run } = options
    this.#options = options
    this.#logs = logs
    this.#looker = new Looker(options)
    this.#membership = new Membership(source, order, signal)
    this.#progress = run.progress
  }

  static async open(options: CompareOptions): Promise<Comparison> {
    const { records, order, run } = options
    const open: Partial<Record<LogName, LineWriter>> = {}
    try {
      for (const log of LOGS) {
        open[log] = new LineWriter(await records.appendTo(logName(order.name, log), run.progress.lengths[log]))
      }
      const { datasets, changes, moves, links, manifest } = open
      if (datasets && changes && moves && links && manifest) {
        return new Comparison(options, { datasets, changes, moves, links, manifest })
      }
      throw new Error('a log is missing')
    } catch (error) {
      await Promise.all(Object.values(open).map((log) => log.close()))
      throw error
    }
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#logs).map((log) => log.close()))
  }

  async run(): Promise<Progress> {
    const { records, order, signal } = this.#options
    const { after } = this.#progress
    const departures = readLines(records, logName(order.name, 'departures'), departureSchema)
    let since = 0
    for await (const { id, left: pair, right: departure } of joined(pairs(records, order.name), departures)) {
      signal.throwIfAborted()
      if (!pair || id <= after) continue
      await this.#add(pair, departure)
      this.#progress = { ...this.#progress, after: id }
      since++
      if (since - this.#last.datasets >= CHECKPOINT_DATASETS || Date.now() - this.#last.at >= CHECKPOINT_MS) {
        await this.#checkpoint(since)
      }
    }
    await this.#checkpoint(since)
    return this.#progress
  }

  /** A folder for a dataset that has none: those that have been given out are read when the first one is asked for. */
  async #newFolder(pid: string): Promise<string> {
    return (await (this.#folders ??= this.#takenFolders())).claim(folderOf(pid))
  }

  async #takenFolders(): Promise<PathRegistry> {
    const { records, order } = this.#options
    const folders = new PathRegistry()
    const take = ({ state, folder }: MirroredDataset): void => {
      // One that is only linked has no folder yet.
      if (state !== 'linked') folders.take(folder)
    }
    // Another mirror of this destination may hold the same dataset, which was moved from its scope to this one.
    for (const mirror of await listMirrors(records)) {
      for await (const dataset of heldDatasets(records, mirror)) take(dataset)
    }
    for await (const { dataset } of readLines(records, logName(order.name, 'datasets'), comparedSchema)) take(dataset)
    return folders
  }

  /** The order matters: lines are durable before the run says that they count. */
  async #checkpoint(since: number): Promise<void> {
    const { datasets, changes, moves, links, manifest } = this.#logs
    for (const log of Object.values(this.#logs)) await log.flush()
    const lengths = {
      datasets: datasets.length,
      changes: changes.length,
      moves: moves.length,
      links: links.length,
      manifest: manifest.length,
    }
    this.#progress = { ...this.#progress, lengths }
    this.#last = { datasets: since, at: Date.now() }
    await this.#options.onProgress(this.#progress)
  }

  async #add({ found, old }: Pair, departure: Departure | undefined): Promise<void> {
    if (found) await this.#found(found, old)
    else if (old && departure && old.state === 'current') await this.#missed(old, departure)
    else if (old) await this.#unchanged(old)
  }

  /** It was not found. What is still released is looked at when it is due, as the index may have lost it for good. */
  async #missed(old: MirroredDataset, departure: Departure): Promise<void> {
    const { id, pid, owner } = old
    const isDue = isStill(departure) && this.#options.run.parts.includes(id % PARTS)
    await (isDue ? this.#found({ id, pid, owner }, old) : this.#departed(old, departure))
  }

  async #found(found: FoundDataset, old: MirroredDataset | undefined): Promise<void> {
    const { run } = this.#options
    if (old?.state === 'purged') {
      await this.#unchanged(old)
      return
    }
    const inFull = run.parts.includes(found.id % PARTS)
    const { now, answers } = this.#options
    if (old && !inFull && !(old.guarded && answers) && isUnchanged(found, old, now)) {
      await this.#unchanged({ ...old, unknownRuns: undefined })
      return
    }
    try {
      if (!(await this.#membership.has(found))) {
        await this.#linked(found, old)
        return
      }
      const folder = old && old.state !== 'linked' ? old.folder : await this.#newFolder(found.pid)
      const looked = await this.#looker.look(found, old, folder, inFull)
      if (looked) await this.#looked(looked, old)
      else await this.#hidden(found, old)
    } catch (error) {
      if (isErrorOf(error, 'SOURCE_NOT_FOUND', 'SOURCE_DENIED')) await this.#hidden(found, old, error)
      else await this.#failed(error, found, old)
    }
  }

  async #looked(
    { dataset, changes, arrangement, guestbook, mislisted: [mislisted] }: Looked,
    old: MirroredDataset | undefined,
  ): Promise<void> {
    if (arrangement) await this.#arrange(dataset, arrangement, guestbook)
    await this.#changes(changes)
    const happened = !old || old.state === 'linked' ? 'added' : old.state !== 'current' ? 'returned' : undefined
    await this.#write({
      // Listed again until it can be understood.
      dataset: mislisted === undefined ? dataset : { ...dataset, retry: true },
      happened: happened ?? (changes.length > 0 ? 'updated' : 'unchanged'),
      touched: arrangement !== undefined,
      ...(mislisted !== undefined && { problem: { code: 'SOURCE_MISLISTED', message: mislisted } }),
    })
  }

  async #arrange(
    { id, pid }: MirroredDataset,
    arrangement: NonNullable<Looked['arrangement']>,
    guestbook: number | undefined,
  ): Promise<void> {
    const { records, order } = this.#options
    const { items, moves, touched } = this.#progress
    const files = arrangement.files.map((file) => ({
      ...file,
      ...(file.item !== undefined && { item: file.item + items }),
      ...(file.link !== undefined && { link: file.link + items }),
    }))
    await writeFilesRecord(records, filesName(order.name, id), id, files)
    let n = moves
    for (const move of arrangement.moves) await this.#logs.moves.add({ n: n++, ...move })
    for (const link of arrangement.links) {
      await this.#logs.links.add({ ...link, ...(link.item !== undefined && { item: link.item + items }) })
    }
    for (const { path, version, file } of arrangement.fetch) {
      await this.#logs.manifest.text(formatMirrorLine({ path, dataset: pid, version, file, guestbook }))
    }
    this.#progress = {
      ...this.#progress,
      items: items + arrangement.fetch.length,
      moves: n,
      touched: touched + 1,
    }
  }

  /** Found where it is only linked: nothing of it is fetched, and what was held when it was owned stays. */
  async #linked(found: FoundDataset, old: MirroredDataset | undefined): Promise<void> {
    if (old?.state === 'current') return this.#leave(old, { id: old.id, state: 'out-of-scope' })
    const { id, pid, owner, seen } = found
    const kept = old ?? { id, pid, folder: folderOf(pid), state: 'linked' as const, versions: [], files: countsOf([]) }
    await this.#unchanged({ ...kept, ...(owner !== undefined && { owner }), ...(seen && { seen }) })
  }

  /**
   * It was found, and the server shows nothing of it: an index lags, or it was withdrawn.
   * @param refusal how it was refused: where it is released all the same, not all of it may be seen
   */
  async #hidden(found: FoundDataset, old: MirroredDataset | undefined, refusal?: DataferryError): Promise<void> {
    const { order, source, signal, run } = this.#options
    const departure = await askAbout(old ?? found, { order, source, signal, hasIndex: !run.noIndex })
    if (refusal && isStill(departure)) return this.#failed(refusal, found, old)
    if (!old) return
    if (old.state !== 'current') return this.#unchanged(old)
    if (departure.state === 'current') return this.#departed({ ...old, again: true }, departure)
    await this.#leave(old, departure)
  }

  /** A dataset that was found, and leaves all the same, unless too many would. */
  async #leave(old: MirroredDataset, departure: Departure): Promise<void> {
    const { hidden, refused } = this.#progress
    if (!this.#options.mayLeave(hidden + 1)) {
      this.#progress = { ...this.#progress, refused: refused + 1 }
      return this.#unchanged({ ...old, again: true })
    }
    this.#progress = { ...this.#progress, hidden: hidden + 1 }
    await this.#departed(old, departure)
  }

  async #departed(old: MirroredDataset, departure: Departure): Promise<void> {
    const { state, reason, forward, unknownRuns } = departure
    if (state === 'current') {
      const dataset = { ...old, unknownRuns }
      return this.#write({ dataset, happened: 'unchanged', touched: false })
    }
    const said = { ...(reason !== undefined && { reason }), ...(forward !== undefined && { forward }) }
    const detail = [reason, forward].filter((text) => text !== undefined).join(' ')
    await this.#changes([{ change: `dataset-${state}`, dataset: old.pid, ...(detail !== '' && { detail }) }])
    const dataset: MirroredDataset = {
      ...old,
      unknownRuns: undefined,
      again: undefined,
      state,
      leftAt: this.#options.now.toISOString(),
      ...said,
    }
    await this.#write({ dataset, happened: state, touched: false })
  }

  /** What one dataset alone cannot be looked at for is reported, and the next run looks again. */
  async #failed(error: unknown, { id, pid }: FoundDataset, old: MirroredDataset | undefined): Promise<void> {
    if (!(error instanceof DataferryError) || error.remedy !== 'fail') throw error
    const problem = { code: error.code, message: error.message }
    const dataset = old ?? {
      id,
      pid,
      folder: await this.#newFolder(pid),
      state: 'current' as const,
      versions: [],
      files: countsOf([]),
    }
    await this.#write({ dataset: { ...dataset, again: true }, happened: 'failed', touched: false, problem })
  }

  async #unchanged(dataset: MirroredDataset): Promise<void> {
    await this.#write({ dataset, happened: 'unchanged', touched: false })
  }

  async #changes(changes: readonly Change[]): Promise<void> {
    for (const change of changes) await this.#logs.changes.add(change)
  }

  async #write(compared: Compared): Promise<void> {
    await this.#logs.datasets.add(compared)
  }
}

function folderOf(pid: string): string {
  return safePath(datasetFolder(pid)).path
}

/** Whether the search says of a dataset what it said when it was last looked at. */
function isUnchanged({ seen, owner }: FoundDataset, old: MirroredDataset, now: Date): boolean {
  if (old.again || old.retry || old.unstored || !seen || !old.seen) return false
  if (old.state !== 'current' && old.state !== 'linked') return false
  if (old.due !== undefined && isDay(old.due, now)) return false
  if (owner !== undefined && old.owner !== undefined && owner !== old.owner) return false
  return (
    seen.versionId === old.seen.versionId && seen.number === old.seen.number && seen.updatedAt === old.seen.updatedAt
  )
}
