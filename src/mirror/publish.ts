import type { Records } from '../sinks/sink.ts'
import { changeSchema } from './changes.ts'
import { comparedSchema, type Compared } from './compared.ts'
import { withSidecars } from './croissant.ts'
import { Fetched } from './fetched.ts'
import { names, type MirrorOrder } from './order.ts'
import { filesName, logName, type PendingRun } from './pending.ts'
import { readRun, type RunReport } from './report.ts'
import { writeRun } from './run-folder.ts'
import {
  countsOf,
  isHeld,
  PARTS,
  readFilesRecord,
  readLines,
  readState,
  writeFilesRecord,
  writeState,
  type HeldFile,
  type MirroredDataset,
} from './state.ts'

/** Problems that a report names; the rest is counted with the datasets that failed. */
const SHOWN_PROBLEMS = 1_000

export interface PublishOptions {
  readonly records: Records
  readonly order: MirrorOrder
  readonly run: PendingRun
  readonly now: Date
}

/**
 * Makes the new state of a mirror, and the report of the run, from what was compared and how the batch ended. Repeatable until
 * the state says so.
 */
export async function publish(options: PublishOptions): Promise<void> {
  const { records, order, run } = options
  const { finishedAt } = (await readRun(records, order.name, run.run)) ?? (await written(options))
  await writeState(records, order.name, {
    v: 1,
    run: run.run,
    finishedAt,
    swept: await sweptTimes(records, order.name, run),
  })
}

async function written(options: PublishOptions): Promise<RunReport> {
  const { records, order, run } = options
  await using fetched = await Fetched.of(records, run.batch)
  const tally = new Tally()
  for (const pid of run.unknown) {
    tally.problem({ dataset: pid, code: 'SOURCE_NOT_FOUND', message: `${order.server} knows no dataset ${pid}.` })
  }
  for (const problem of run.unstored) tally.problem(problem)
  return await writeRun(records, order, run.run, {
    datasets: settledDatasets(options, fetched, tally),
    changes: readLines(records, logName(order.name, 'changes'), changeSchema),
    report: () => tally.report(options, fetched.bytes),
  })
}

async function* settledDatasets(
  options: PublishOptions,
  fetched: Fetched,
  tally: Tally,
): AsyncGenerator<MirroredDataset> {
  const { records, order, run } = options
  const unstored = new Set(run.unstored.map(({ dataset }) => dataset))
  const lost = lostPlaces(run)
  for await (const one of readLines(records, logName(order.name, 'datasets'), comparedSchema)) {
    const known = { fetched, lost, unstored, tally }
    const { dataset, hasCome } = one.touched
      ? await settled(options, one.dataset, known)
      : { dataset: one.dataset, hasCome: false }
    // Asked for again, a file that is withheld changes nothing unless it comes.
    tally.dataset(hasCome && one.happened === 'unchanged' ? { ...one, happened: 'updated' } : one, dataset)
    // A dataset that could not be looked at before anything of it was held is found again as a new one.
    if (one.happened !== 'failed' || dataset.versions.length > 0) yield dataset
  }
}

interface Known {
  readonly fetched: Fetched
  /** Places that held nothing where a file was to be taken from. */
  readonly lost: ReadonlySet<string>
  /** PIDs of datasets whose objects could not be written. */
  readonly unstored: ReadonlySet<string>
  readonly tally: Tally
}

/** The files of a dataset once the batch has ended, on record. */
async function settled(
  { records, order }: PublishOptions,
  dataset: MirroredDataset,
  { fetched, lost, unstored, tally }: Known,
): Promise<Settled> {
  const planned = await readFilesRecord(records, filesName(order.name, dataset.id))
  const files = await filesEnded(planned, fetched, lost)
  for (const [at, file] of files.entries()) tally.file(planned[at], file)
  const filesSha256 = await writeFilesRecord(records, names.files(order.name, dataset.id), dataset.id, files)
  const versions = await withSidecars(records, order, dataset, files)
  const fails = files.some((file) => !isHeld(file) && file.withheld !== true)
  const isGuarded = files.some((file) => !isHeld(file) && file.code === 'SOURCE_GUESTBOOK')
  return {
    hasCome: files.some((file, at) => isHeld(file) && planned[at]?.item !== undefined),
    dataset: {
      ...dataset,
      versions,
      files: countsOf(files),
      filesSha256,
      retry: fails || dataset.retry ? true : undefined,
      unstored: unstored.has(dataset.pid) ? true : undefined,
      guarded: isGuarded ? true : undefined,
    },
  }
}

interface Settled {
  readonly dataset: MirroredDataset
  /** A file of it was fetched. */
  readonly hasCome: boolean
}

/** Places that held nothing where a file was to be taken from. */
export function lostPlaces({ lost, unlinked }: PendingRun): ReadonlySet<string> {
  return new Set([...lost, ...unlinked])
}

/** The files of a dataset as they are once the batch has ended. */
export async function filesEnded(
  planned: readonly HeldFile[],
  fetched: Fetched,
  lost: ReadonlySet<string>,
): Promise<readonly HeldFile[]> {
  const ended = await fetched.settle(planned)
  return ended.map((file) => (isHeld(file) && lost.has(file.path) ? gone(file) : file))
}

/** A file that was held by the records, and was not there when it was to be moved or linked. */
function gone(file: HeldFile): HeldFile {
  return { ...file, verified: undefined, withheld: undefined, state: 'missing', code: 'SINK_FAILED' }
}

/** What a run did, counted. */
class Tally {
  readonly #states: Partial<Record<MirroredDataset['state'], number>> = {}
  readonly #happened: Partial<Record<Compared['happened'], number>> = {}
  readonly #problems: RunReport['problems'][number][] = []
  readonly #files = { fetched: 0, kept: 0, failed: 0, missing: 0 }
  readonly #failures = new Map<string, number>()

  dataset({ happened, problem }: Compared, dataset: MirroredDataset): void {
    this.#states[dataset.state] = (this.#states[dataset.state] ?? 0) + 1
    this.#happened[happened] = (this.#happened[happened] ?? 0) + 1
    this.#files.kept += dataset.files.current
    this.#files.missing += dataset.files.missing
    if (problem) this.problem({ dataset: dataset.pid, ...problem })
  }

  problem(problem: RunReport['problems'][number]): void {
    if (this.#problems.length < SHOWN_PROBLEMS) this.#problems.push(problem)
  }

  file(before: HeldFile | undefined, after: HeldFile): void {
    if (before?.item !== undefined && isHeld(after)) this.#files.fetched++
    else if ((before && isHeld(before) !== isHeld(after)) || before?.item !== undefined) {
      this.#files.failed++
      const { code = 'SOURCE_FAILED' } = after
      this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1)
    }
  }

  report({ order, run, now }: PublishOptions, bytesFetched: number): RunReport {
    const { fetched, kept, failed } = this.#files
    return {
      v: 1,
      mirror: order.name,
      run: run.run,
      startedAt: run.startedAt,
      finishedAt: now.toISOString(),
      complete: failed === 0 && this.#problems.length === 0 && run.refused === undefined,
      sweep: run.sweep,
      ...(run.why !== undefined && { why: run.why }),
      states: this.#states,
      datasets: this.#happened,
      files: {
        ...this.#files,
        ...run.arranged,
        linked: run.linked,
        copied: run.copied,
        kept: Math.max(0, kept - fetched - run.linked - run.copied),
      },
      bytesFetched,
      requests: { ...run.requests },
      ...(run.refused !== undefined && { refused: run.refused }),
      inTheWay: [...run.inTheWay],
      problems: this.#problems,
      failures: Object.fromEntries(this.#failures),
      ...(run.batch !== undefined && { batch: run.batch }),
    }
  }
}

/** When each part of the datasets was last looked at in full. */
async function sweptTimes(records: Records, mirror: string, { parts, startedAt }: PendingRun): Promise<string[]> {
  const before = await readState(records, mirror)
  return Array.from({ length: PARTS }, (_, part) =>
    // All of what a first run finds is looked at.
    parts.includes(part) ? startedAt : (before?.swept[part] ?? startedAt),
  )
}
