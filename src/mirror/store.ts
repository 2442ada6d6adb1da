import { eachConcurrently } from '../async/each-concurrently.ts'
import { DataferryError } from '../errors.ts'
import type { Sink } from '../sinks/sink.ts'
import { comparedSchema } from './compared.ts'
import { withSidecars } from './croissant.ts'
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
  /** Puts right what a killed process left of versions. Repeatable. Rejects with `SINK_…` codes. */
  tidy(): Promise<void>
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

/** Datasets, and files of one, that are worked on at the same time. */
const AT_A_TIME = 8

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
  const { run } = options
  await using fetched = await Fetched.of(options.sink.records, run.batch)
  const unstored: PendingRun['unstored'] = []
  const unlinked = [...run.unlinked]
  await eachConcurrently(touched(options, fetched), AT_A_TIME, async (one) => {
    try {
      await storeOne(options, one)
    } catch (error) {
      if (!(error instanceof DataferryError) || !OF_ONE.includes(error.code)) throw error
      unstored.push({ dataset: one.dataset.pid, code: error.code, message: error.message })
      // Only an object would have had them by name.
      for (const { link, content, path } of one.planned) {
        if (link !== undefined && content === undefined) unlinked.push(path)
      }
    }
  })
  return { unstored, unlinked }
}

/** A dataset whose files were looked at. */
interface Touched {
  readonly dataset: MirroredDataset
  readonly planned: readonly HeldFile[]
  /** The same files once the batch has ended. */
  readonly ended: readonly HeldFile[]
}

/** In the order of the plan, in which the outcomes of the batch come. */
async function* touched({ sink, order, run, signal }: StoreOptions, fetched: Fetched): AsyncGenerator<Touched, void> {
  const lost = lostPlaces(run)
  for await (const one of readLines(sink.records, logName(order.name, 'datasets'), comparedSchema)) {
    if (!one.touched) continue
    signal.throwIfAborted()
    const planned = await readFilesRecord(sink.records, filesName(order.name, one.dataset.id))
    yield { dataset: one.dataset, planned, ended: await filesEnded(planned, fetched, lost) }
  }
}

async function storeOne({ store, sink, order }: StoreOptions, { dataset, planned, ended }: Touched): Promise<void> {
  const cameTo = new Map(planned.flatMap(({ item, path }) => (item === undefined ? [] : [[item, path]])))
  const files = ended.map((file, at): HeldFile => {
    const twin = cameTo.get(planned[at]?.link ?? -1)
    return twin === undefined || !isHeld(file) || file.content !== undefined ? file : { ...file, content: twin }
  })
  // What is made of the digests of the files belongs to the version as well: added later it would be one more version.
  const versions = await withSidecars(sink.records, order, dataset, ended)
  const stored = await store.add({ ...dataset, versions }, files)
  const known = planned.map((file, at): HeldFile => {
    const now = stored[at]
    if (!now || !isHeld(now) || now.content === undefined || file.content !== undefined) return file
    return { ...file, content: now.content, ...(file.link === undefined && { surplus: true }) }
  })
  await writeFilesRecord(sink.records, filesName(order.name, dataset.id), dataset.id, known)
  const surplus = known.filter((file) => file.surplus)
  await eachConcurrently(surplus, AT_A_TIME, ({ path }) => sink.remove(path))
}
