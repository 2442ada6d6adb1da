import { DataferryError } from '../errors.ts'
import type { Sink } from '../sinks/sink.ts'
import { comparedSchema } from './compared.ts'
import { Fetched } from './fetched.ts'
import type { MirrorOrder } from './order.ts'
import { filesName, logName, type PendingRun } from './pending.ts'
import { filesEnded, lostPlaces } from './publish.ts'
import { isHeld, readFilesRecord, readLines, writeFilesRecord, type HeldFile, type MirroredDataset } from './state.ts'

/** Where a mirror keeps its datasets as objects that have versions. */
export interface DatasetStore {
  /**
   * Adds what the object of a dataset lacks of its versions. Repeatable. Rejects with `OCFL_REFUSED`, `CHECKSUM_MISMATCH` and
   * `SINK_…` codes.
   * @param files with the place of their bytes; those that are not in the object yet stay where they are
   * @returns the same files, each with its place in the object
   */
  add(dataset: MirroredDataset, files: readonly HeldFile[]): Promise<readonly HeldFile[]>
  /** Takes an object away; none there is no error. */
  remove(pid: string): Promise<void>
}

export interface StoreOptions {
  readonly store: DatasetStore
  readonly sink: Sink
  readonly order: MirrorOrder
  readonly run: PendingRun
  readonly signal: AbortSignal
}

/** Codes of what is wrong with one dataset: the others can still be stored. */
const OF_ONE: readonly string[] = [
  'OCFL_REFUSED',
  'CHECKSUM_MISMATCH',
  'SINK_BUSY',
  'SINK_DENIED',
  'SINK_EXISTS',
  'SINK_FAILED',
]

/**
 * Makes versions of what a run has brought. The bytes that came are dropped where they came to when their object is on record.
 * Repeatable. @returns what could not be stored
 */
export async function storeDatasets(options: StoreOptions): Promise<Pick<PendingRun, 'unstored' | 'unlinked'>> {
  const { sink, order, run, signal } = options
  await using fetched = await Fetched.of(sink.records, run.batch)
  const lost = lostPlaces(run)
  const unstored: PendingRun['unstored'] = []
  const unlinked = [...run.unlinked]
  for await (const { dataset, touched } of readLines(sink.records, logName(order.name, 'datasets'), comparedSchema)) {
    if (!touched) continue
    signal.throwIfAborted()
    const planned = await readFilesRecord(sink.records, filesName(order.name, dataset.id))
    const ended = await filesEnded(planned, fetched, lost)
    try {
      await storeOne(options, dataset, planned, ended)
    } catch (error) {
      if (!(error instanceof DataferryError) || !OF_ONE.includes(error.code)) throw error
      unstored.push({ dataset: dataset.pid, code: error.code, message: error.message })
      // Only an object would have had them by name.
      for (const { link, content, path } of planned)
        if (link !== undefined && content === undefined) unlinked.push(path)
    }
  }
  return { unstored, unlinked }
}

async function storeOne(
  { store, sink, order }: StoreOptions,
  dataset: MirroredDataset,
  planned: readonly HeldFile[],
  ended: readonly HeldFile[],
): Promise<void> {
  const cameTo = new Map(planned.flatMap(({ item, path }) => (item === undefined ? [] : [[item, path]])))
  const files = ended.map((file, at): HeldFile => {
    const twin = cameTo.get(planned[at]?.link ?? -1)
    return twin === undefined || !isHeld(file) || file.content !== undefined ? file : { ...file, content: twin }
  })
  const stored = await store.add(dataset, files)
  const known = planned.map((file, at): HeldFile => {
    const now = stored[at]
    if (!now || !isHeld(now) || now.content === undefined || file.content !== undefined) return file
    return { ...file, content: now.content, ...(file.link === undefined && { surplus: true }) }
  })
  await writeFilesRecord(sink.records, filesName(order.name, dataset.id), dataset.id, known)
  for (const { surplus, path } of known) if (surplus) await sink.remove(path)
}
