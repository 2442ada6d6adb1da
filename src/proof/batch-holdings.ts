import { z } from 'zod'
import { ExternalSort, numberKey, versionKey } from '../batch/external-sort.ts'
import { readBatch, readPlanState } from '../batch/folder.ts'
import { ItemsReader } from '../batch/items-file.ts'
import { LineSet } from '../batch/line-set.ts'
import { Outcomes } from '../batch/outcomes.ts'
import { DataferryError } from '../errors.ts'
import type { BatchId } from '../model/batch.ts'
import { checksumSchema, checksumsSchema } from '../model/checksum.ts'
import { formatCount } from '../model/format.ts'
import type { Item } from '../model/item.ts'
import { datasetFolder } from '../plan/file-item.ts'
import type { Records } from '../sinks/sink.ts'
import { holdingName, samePid, type Holding, type HoldingFile, type MissingFile } from './holding.ts'

const factSchema = z.object({
  /** What all files of one holding have in common. */
  group: z.string(),
  server: z.string(),
  dataset: z.string().optional(),
  version: z.string().optional(),
  /** Folder and name in the dataset. */
  path: z.string(),
  held: z
    .object({
      place: z.string(),
      size: z.number(),
      checksum: checksumSchema.optional(),
      digests: checksumsSchema.optional(),
      id: z.string().optional(),
      contentType: z.string().optional(),
      fetchedAt: z.string(),
    })
    .optional(),
  /** Of what is missing. */
  why: z.string().optional(),
})
type Fact = z.infer<typeof factSchema>

export interface BatchHoldingOptions {
  readonly records: Records
  readonly batch: BatchId
  /** Whether each version of a dataset is a holding, or all of the batch is one. */
  readonly per: 'dataset' | 'batch'
  /** Only this dataset. */
  readonly pid?: string | undefined
  readonly signal: AbortSignal
}

/** Missing files of one holding, which are named in it: the list is in memory. */
const MOST_MISSING = 100_000

/**
 * What a batch has brought, in flat memory. Rejects with `BATCH_NOT_FOUND` and `RECORD_UNREADABLE`, and with `BAG_REFUSED` where more is
 * missing than is named in a bag.
 */
export async function* batchHoldings(options: BatchHoldingOptions): AsyncGenerator<Holding, void> {
  const { batch, records } = options
  if (!(await readBatch(records, batch))) {
    throw new DataferryError('BATCH_NOT_FOUND', `The destination has no batch ${batch}.`)
  }
  await using facts = new ExternalSort<Fact>(factSchema)
  await collect(facts, options)
  const values = facts.values()
  let next = await values.next()
  while (next.done !== true) {
    const first = next.value
    const missing: MissingFile[] = []
    while (next.done !== true && next.value.group === first.group && !next.value.held) {
      if (missing.length === MOST_MISSING) throw tooMany(batch)
      missing.push({ path: next.value.path, why: next.value.why ?? '' })
      next = await values.next()
    }
    const files = (async function* (): AsyncGenerator<HoldingFile> {
      while (next.done !== true && next.value.group === first.group) {
        const { path, held } = next.value
        if (held) yield { path, ...held }
        next = await values.next()
      }
    })()
    yield holdingOf(first, options, missing, files)
    // What the caller did not read.
    while (next.done !== true && next.value.group === first.group) next = await values.next()
  }
}

function tooMany(batch: BatchId): DataferryError {
  const message = `More than ${formatCount(MOST_MISSING)} files of batch ${batch} are missing: nothing is handed on without so many.`
  return new DataferryError('BAG_REFUSED', message, { advice: 'Fetch them with `dataferry retry`, then try again.' })
}

async function collect(
  facts: ExternalSort<Fact>,
  { records, batch, per, pid, signal }: BatchHoldingOptions,
): Promise<void> {
  const plan = await readPlanState(records, batch)
  if (!plan.complete) {
    const message = `Batch ${batch} is not planned to its end, so that nobody knows what belongs to it.`
    throw new DataferryError('BAG_REFUSED', message, { advice: 'Finish it with `dataferry resume`, then try again.' })
  }
  const outcomes = new Outcomes(records, batch, plan.items)
  const items = new ItemsReader(records, batch)
  const told = new LineSet()
  const add = async (item: Item, rest: Pick<Fact, 'held' | 'why'>): Promise<void> => {
    signal.throwIfAborted()
    const { dataset, version } = item.origin ?? {}
    if (pid !== undefined && !samePid(dataset ?? '', pid)) return
    const group = per === 'batch' ? '' : JSON.stringify([dataset, versionKey(version ?? '')])
    const path = per === 'batch' ? item.path : inDataset(item)
    // What is missing comes first: it is known before any file is read.
    const key = `${group}\n${rest.held ? 1 : 0}\n${path}\n${numberKey(item.n)}`
    await facts.add(key, { group, server: item.server, ...(per === 'dataset' && { dataset, version }), path, ...rest })
  }
  for await (const { n, path: place, size, checksum, digests, finishedAt: fetchedAt } of outcomes.receipts()) {
    told.add(n)
    const item = await items.item(n)
    const { contentType } = item
    const id = idOf(item)
    await add(item, { held: { place, size, checksum, digests, id, contentType, fetchedAt } })
  }
  for await (const { n, code } of outcomes.failures()) {
    told.add(n)
    await add(await items.item(n), { why: code })
  }
  for (let n = 0; n < plan.items; n++) if (!told.has(n)) await add(await items.item(n), { why: 'not fetched yet' })
}

function holdingOf(
  { dataset, version, server }: Fact,
  { batch }: BatchHoldingOptions,
  missing: readonly MissingFile[],
  files: AsyncIterable<HoldingFile>,
): Holding {
  return {
    name: dataset === undefined ? batch : holdingName(dataset, version),
    dataset: dataset === undefined ? undefined : { pid: dataset, server, number: version, releasedAt: undefined },
    missing,
    files,
    metadata: () => Promise.resolve(new Map()),
  }
}

/** A batch keeps each dataset in a folder of its own. */
function inDataset({ path, origin }: Item): string {
  const top = origin?.dataset === undefined ? '' : `${datasetFolder(origin.dataset)}/`
  return top !== '' && path.startsWith(top) ? path.slice(top.length) : path
}

/** @see OREMap.java: a file without a PID is named by its page */
function idOf({ origin, ref, server }: Item): string | undefined {
  if (origin?.pid !== undefined) return origin.pid
  if (ref.kind !== 'file') return undefined
  return typeof ref.file === 'number' ? `${server}/file.xhtml?fileId=${ref.file}` : ref.file
}
