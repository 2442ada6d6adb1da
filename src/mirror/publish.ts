import { csvRow } from '../batch/wanted-rows.ts'
import { LineSet } from '../batch/line-set.ts'
import { Outcomes } from '../batch/outcomes.ts'
import { recordText } from '../batch/record.ts'
import type { Receipt } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { changeSchema } from './changes.ts'
import { comparedSchema, type Compared } from './compare.ts'
import { LineWriter } from './line-writer.ts'
import { names, type MirrorOrder } from './order.ts'
import { filesName, logName, type PendingRun } from './pending.ts'
import type { RunReport } from './report.ts'
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
/** Codes that say that this user may not have a file: it is not asked for in every run. */
const RIGHTS: readonly string[] = [
  'SOURCE_DENIED',
  'SOURCE_EMBARGOED',
  'SOURCE_RETENTION_OVER',
  'SOURCE_GUESTBOOK',
  'SOURCE_DEACCESSIONED',
]

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
export async function publish(options: PublishOptions): Promise<RunReport> {
  const { records, order, run, now } = options
  const fetched = await Fetched.of(records, run.batch)
  const tally = new Tally()
  const log = new LineWriter(await records.appendTo(names.run(order.name, run.run, 'datasets.ndjson'), 0))
  try {
    const compared = readLines(records, logName(order.name, 'datasets'), comparedSchema)
    for await (const one of compared) {
      const dataset = one.touched ? await settled(options, one.dataset, fetched, tally) : one.dataset
      tally.dataset(one, dataset)
      // A dataset that could not be looked at before anything of it was held is found again as a new one.
      if (one.happened !== 'failed' || dataset.versions.length > 0) await log.add(dataset)
    }
    await log.flush()
  } finally {
    await log.close()
  }
  await records.write(names.run(order.name, run.run, 'changes.csv'), changeRows(records, order.name))
  for (const pid of run.unknown) {
    tally.problem({ dataset: pid, code: 'SOURCE_NOT_FOUND', message: `${order.server} knows no dataset ${pid}.` })
  }
  const report = tally.report(options, fetched.bytes)
  await records.write(names.run(order.name, run.run, 'run.json'), recordText(report))
  await writeState(records, order.name, {
    v: 1,
    run: run.run,
    finishedAt: now.toISOString(),
    swept: await sweptTimes(records, order.name, run),
  })
  return report
}

/** The files of a dataset once the batch has ended, on record. */
async function settled(
  { records, order, run }: PublishOptions,
  dataset: MirroredDataset,
  fetched: Fetched,
  tally: Tally,
): Promise<MirroredDataset> {
  const planned = await readFilesRecord(records, filesName(order.name, dataset.id))
  const lost = new Set([...run.lost, ...run.unlinked])
  const files = planned.map((file) => {
    const ended = fetched.settle(file)
    const after = isHeld(ended) && lost.has(file.path) ? gone(ended) : ended
    tally.file(file, after)
    return after
  })
  await writeFilesRecord(records, names.files(order.name, dataset.id), dataset.id, files)
  const fails = files.some((file) => !isHeld(file) && file.withheld !== true)
  return { ...dataset, files: countsOf(files), retry: fails || dataset.retry ? true : undefined }
}

/** A file that was held by the records, and was not there when it was to be moved or linked. */
function gone(file: HeldFile): HeldFile {
  return { ...file, verified: undefined, state: 'missing', code: 'SINK_FAILED' }
}

/** How the batch of a run ended, by line of its plan. */
class Fetched {
  readonly #done = new LineSet()
  readonly #failed = new Map<number, string>()
  /** Receipts of files whose checksum no listing published. */
  readonly #unpublished = new Map<number, Receipt>()
  bytes = 0

  static async of(records: Records, batch: string | undefined): Promise<Fetched> {
    const fetched = new Fetched()
    if (batch === undefined) return fetched
    const outcomes = await Outcomes.of(records, batch)
    for await (const receipt of outcomes.receipts()) {
      fetched.#done.add(receipt.n)
      if (receipt.state === 'done') fetched.bytes += receipt.size
      if (receipt.verified !== 'checksum') fetched.#unpublished.set(receipt.n, receipt)
    }
    for await (const { n, code } of outcomes.failures()) fetched.#failed.set(n, code)
    return fetched
  }

  settle({ item, link, ...file }: HeldFile): HeldFile {
    const n = item ?? link
    if (n === undefined) return file
    if (!this.#done.has(n)) {
      const code = this.#failed.get(n) ?? 'SOURCE_FAILED'
      return { ...file, code, withheld: RIGHTS.includes(code) ? true : undefined }
    }
    const receipt = this.#unpublished.get(n)
    return {
      ...file,
      code: undefined,
      state: file.withheld ? 'restricted-now' : 'current',
      verified: receipt?.verified ?? 'checksum',
      ...(receipt && { size: receipt.size, ...(receipt.checksum && { checksum: receipt.checksum }) }),
    }
  }
}

/** What a run did, counted. */
class Tally {
  readonly #states: Partial<Record<MirroredDataset['state'], number>> = {}
  readonly #happened: Partial<Record<Compared['happened'], number>> = {}
  readonly #problems: RunReport['problems'][number][] = []
  readonly #files = { fetched: 0, kept: 0, failed: 0, missing: 0 }

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

  file(before: HeldFile, after: HeldFile): void {
    if (before.item !== undefined && isHeld(after)) this.#files.fetched++
    else if (isHeld(before) !== isHeld(after) || before.item !== undefined) this.#files.failed++
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
      files: { ...this.#files, ...run.arranged, linked: run.linked, kept: Math.max(0, kept - fetched - run.linked) },
      bytesFetched,
      requests: { ...run.requests },
      ...(run.refused !== undefined && { refused: run.refused }),
      inTheWay: [...run.inTheWay],
      problems: this.#problems,
      ...(run.batch !== undefined && { batch: run.batch }),
    }
  }
}

async function* changeRows(records: Records, mirror: string): AsyncGenerator<Uint8Array> {
  yield csvRow(['change', 'dataset', 'version', 'path', 'file', 'detail'])
  for await (const row of readLines(records, logName(mirror, 'changes'), changeSchema)) {
    const { change, dataset, version = '', path = '', file = '', detail = '' } = row
    yield csvRow([change, dataset, version, path, String(file), detail])
  }
}

/**
 * When each part of the datasets was last looked at in full. After the first run the parts are told apart by a day each, so
 * that a mirror that runs daily looks at one of them a night.
 */
async function sweptTimes(records: Records, mirror: string, { parts, startedAt }: PendingRun): Promise<string[]> {
  const before = await readState(records, mirror)
  const at = Date.parse(startedAt)
  return Array.from({ length: PARTS }, (_, part) => {
    const known = before?.swept[part]
    if (known === undefined) return new Date(at - part * DAY_MS).toISOString()
    return parts.includes(part) ? startedAt : known
  })
}

const DAY_MS = 24 * 60 * 60 * 1000
