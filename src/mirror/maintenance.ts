import { nothing } from '../async/nothing.ts'
import { pidKey } from '../model/dataset-pid.ts'
import type { Sink } from '../sinks/sink.ts'
import { names, type MirrorOrder } from './order.ts'
import { readPending, unfinished } from './pending.ts'
import { readRun, type RunReport } from './report.ts'
import { writeRun } from './run-folder.ts'
import {
  countsOf,
  heldDatasets,
  isHeld,
  isShown,
  readFiles,
  readState,
  writeFilesRecord,
  writeState,
  type HeldFile,
  type MirroredDataset,
} from './state.ts'
import type { DatasetStore } from './store.ts'

/** A file that is kept aside, with the dataset that it was of. */
export interface Aside {
  readonly dataset: MirroredDataset
  readonly file: HeldFile
}

/** Files that left before a time and are kept aside since. */
export async function* asideSince(sink: Sink, order: MirrorOrder, before: Date): AsyncGenerator<Aside> {
  for await (const dataset of heldDatasets(sink.records, order.name)) {
    if (dataset.files.aside === 0) continue
    for (const file of await readFiles(sink.records, order.name, dataset.id)) {
      if (isDropped(file, before)) yield { dataset, file }
    }
  }
}

/** Drops what left before a time and is kept aside. @returns how many files */
export async function prune(sink: Sink, order: MirrorOrder, before: Date, now: Date): Promise<number> {
  const { records } = sink
  let dropped = 0
  await rewrite(sink, order, now, async (dataset) => {
    if (dataset.files.aside === 0) return dataset
    const files = await readFiles(records, order.name, dataset.id)
    const gone = files.filter((file) => isDropped(file, before))
    // Another command that was killed has dropped some, and its run is on record nowhere.
    const isDroppedAlready = countsOf(files).aside !== dataset.files.aside
    if (gone.length === 0 && !isDroppedAlready) return dataset
    for (const { path } of gone) await sink.remove(path)
    dropped += gone.length
    const kept = files.filter((file) => !gone.includes(file))
    const filesSha256 = await writeFilesRecord(records, names.files(order.name, dataset.id), dataset.id, kept)
    return { ...dataset, files: countsOf(kept), filesSha256 }
  })
  return dropped
}

/**
 * Takes a dataset down for good: its files and metadata go, and its name stays, so that it does not come back.
 * @param store undefined: datasets are folders
 * @returns how many files went; undefined: the mirror does not hold it
 */
export async function purge(
  sink: Sink,
  order: MirrorOrder,
  named: string,
  { now, store }: { readonly now: Date; readonly store?: DatasetStore | undefined },
): Promise<number | undefined> {
  const { records } = sink
  let found: MirroredDataset | undefined
  await rewrite(sink, order, now, (dataset) => {
    if (pidKey(dataset.pid) !== pidKey(named)) return Promise.resolve(dataset)
    found = dataset
    const { id, pid, folder, owner } = dataset
    const leftAt = dataset.state === 'purged' ? dataset.leftAt : now.toISOString()
    return Promise.resolve({
      id,
      pid,
      folder,
      ...(owner !== undefined && { owner }),
      state: 'purged',
      versions: [],
      files: countsOf([]),
      ...(leftAt !== undefined && { leftAt }),
    })
  })
  if (!found) return undefined
  const files = (await readFiles(records, order.name, found.id)).filter(isHeld)
  for (const { path, content } of files) if (content === undefined) await sink.remove(path)
  await store?.remove(found.pid)
  for (const name of await records.list(`mirrors/${order.name}/metadata/${found.folder}`)) await records.remove(name)
  // Last, as it says what else there is to remove.
  await records.remove(names.files(order.name, found.id))
  return files.length
}

function isDropped(file: HeldFile, before: Date): boolean {
  return isHeld(file) && !isShown(file) && file.leftAt !== undefined && Date.parse(file.leftAt) < before.getTime()
}

/** Makes another state of the present one, as a run of its own. */
async function rewrite(
  { records }: Sink,
  order: MirrorOrder,
  now: Date,
  change: (dataset: MirroredDataset) => Promise<MirroredDataset>,
): Promise<void> {
  const pending = await readPending(records, order.name)
  if (pending) throw unfinished(order.name, pending)
  const state = await readState(records, order.name)
  if (!state) return
  const complete = (await readRun(records, order.name, state.run))?.complete ?? true
  const startedAt = now.toISOString()
  const run = startedAt.replaceAll(':', '-')
  const states: RunReport['states'] = {}
  const files = { fetched: 0, kept: 0, linked: 0, copied: 0, moved: 0, superseded: 0, failed: 0, missing: 0 }
  async function* changed(): AsyncGenerator<MirroredDataset> {
    for await (const before of heldDatasets(records, order.name)) {
      const dataset = await change(before)
      states[dataset.state] = (states[dataset.state] ?? 0) + 1
      files.kept += dataset.files.current
      files.missing += dataset.files.missing
      yield dataset
    }
  }
  const report = (): RunReport => ({
    v: 1,
    mirror: order.name,
    run,
    startedAt,
    finishedAt: startedAt,
    // As it was: nothing was asked of the server.
    complete,
    sweep: 'none',
    states,
    datasets: {},
    files,
    bytesFetched: 0,
    requests: {},
    inTheWay: [],
    problems: [],
  })
  // What is dropped here is no change on the server.
  await writeRun(records, order, run, { datasets: changed(), changes: nothing(), report })
  await writeState(records, order.name, { ...state, run })
}
