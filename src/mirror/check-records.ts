import { hash } from 'node:crypto'
import { isUnreadable } from '../batch/record.ts'
import type { Finding } from '../batch/verify-destination.ts'
import type { Records } from '../sinks/sink.ts'
import { listMirrors, mirrorFolders, names, readOrder } from './order.ts'
import { readPending, RECORD } from './pending.ts'
import { listRuns } from './report.ts'
import { datasetSchema, eachLine, readFilesRecord, readState, type MirroredDataset } from './state.ts'

type Unreadable = Extract<Finding, { readonly state: 'unreadable' }>

/** Names every record of the mirrors of a destination that is damaged, is missing, or agrees with no other. */
export async function* checkRecords(records: Records): AsyncGenerator<Unreadable, void> {
  for (const mirror of await mirrorFolders(records)) yield* checkMirror(records, mirror)
}

/** A mirror that has not finished any run. */
export interface NeverRun {
  readonly mirror: string
  /** Its first run was stopped, or goes on. */
  readonly hasBegun: boolean
}

/** Mirrors of which nothing is known that should be there: no run of theirs has ended yet. */
export async function* neverRun(records: Records): AsyncGenerator<NeverRun, void> {
  for (const mirror of await listMirrors(records)) {
    if (await hasRun(records, mirror)) continue
    yield { mirror, hasBegun: (await pendingOf(records, mirror)).isThere }
  }
}

/** Whether a run of a mirror has ended, also where its state is lost. */
export async function hasRun(records: Records, mirror: string): Promise<boolean> {
  if (await records.read(names.state(mirror))) return true
  return !(await pendingOf(records, mirror)).isThere && (await listRuns(records, mirror)).length > 0
}

/** A record that cannot be read counts as none: `checkRecords` names it. */
export async function ifReadable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** The datasets of a mirror whose lines can be read. */
export async function* readableDatasets(records: Records, mirror: string): AsyncGenerator<MirroredDataset, void> {
  const state = await ifReadable(readState(records, mirror))
  if (!state) return
  for await (const { value } of eachLine(records, names.datasets(mirror, state.run), datasetSchema))
    if (value) yield value
}

/** Whether there is a run that has not ended: also one whose record is damaged, but no preview. */
async function pendingOf(
  records: Records,
  mirror: string,
): Promise<{ readonly isThere: boolean; readonly wrong?: Unreadable | undefined }> {
  const { value, wrong } = await judged(readPending(records, mirror), names.pending(mirror, RECORD))
  return { isThere: wrong !== undefined || value !== undefined, wrong }
}

async function* checkMirror(records: Records, mirror: string): AsyncGenerator<Unreadable, void> {
  const hasState = (await records.read(names.state(mirror))) !== undefined
  const order = await judged(readOrder(records, mirror), names.order(mirror))
  if (order.wrong) yield order.wrong
  else if (!order.value && hasState) yield wrong(names.order(mirror), 'is missing')
  const { isThere: isRunning, wrong: damage } = await pendingOf(records, mirror)
  if (damage) yield damage
  const state = await judged(readState(records, mirror), names.state(mirror))
  if (state.wrong) yield state.wrong
  else if (!state.value && !isRunning && (await listRuns(records, mirror)).length > 0) {
    yield wrong(names.state(mirror), 'is missing')
  }
  if (state.value) yield* checkDatasets(records, mirror, state.value.run, isRunning)
}

/** @param isRunning a run may be writing what its list, which comes later, will say */
async function* checkDatasets(
  records: Records,
  mirror: string,
  run: string,
  isRunning: boolean,
): AsyncGenerator<Unreadable, void> {
  const list = names.datasets(mirror, run)
  if (!(await records.list(names.runFolder(mirror, run))).includes(list)) {
    yield wrong(list, 'is missing')
    return
  }
  const unlisted = new Set(await records.list(names.allFiles(mirror)))
  let isWhole = true
  for await (const { n, value: dataset } of eachLine(records, list, datasetSchema)) {
    if (!dataset) {
      isWhole = false
      yield wrong(list, `has a damaged line, ${n}`)
      continue
    }
    const name = names.files(mirror, dataset.id)
    unlisted.delete(name)
    const what = await whatIsWrong(records, name, dataset, isRunning)
    if (what !== undefined) yield wrong(name, what)
  }
  if (isRunning || !isWhole) return
  for (const name of unlisted) {
    const files = await judged(readFilesRecord(records, name), name)
    if (files.wrong) yield files.wrong
    else if (files.value.length > 0) yield wrong(list, `lacks the dataset of .dataferry/${name}`)
  }
}

async function whatIsWrong(
  records: Records,
  name: string,
  { files, filesSha256 }: MirroredDataset,
  isRunning: boolean,
): Promise<string | undefined> {
  const bytes = await records.read(name)
  if (!bytes) return filesSha256 !== undefined || files.current + files.aside > 0 ? 'is missing' : undefined
  if (filesSha256 !== undefined && hash('sha256', bytes) === filesSha256) return undefined
  if ((await judged(readFilesRecord(records, name), name)).wrong) return 'is damaged'
  return filesSha256 === undefined || isRunning ? undefined : 'is not as the last run wrote it'
}

type Judged<T> = { readonly value: T; readonly wrong?: never } | { readonly wrong: Unreadable; readonly value?: never }

async function judged<T>(reading: Promise<T>, name: string): Promise<Judged<T>> {
  try {
    return { value: await reading }
  } catch (error) {
    if (isUnreadable(error)) return { wrong: wrong(name, 'is damaged') }
    throw error
  }
}

function wrong(name: string, what: string): Unreadable {
  const path = `.dataferry/${name}`
  return { state: 'unreadable', path, message: `${path} ${what}: put it back from a copy of the destination.` }
}
