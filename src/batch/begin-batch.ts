import { createHash, randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import type { Batch, PlanState } from '../model/batch.ts'
import type { Sink } from '../sinks/sink.ts'
import { isReported, listBatches, names, readPlanState, writeBatch } from './folder.ts'

/** What a command line asks for, before it is a batch. */
export type BatchRequest = Omit<Batch, 'v' | 'id' | 'key' | 'createdAt' | 'destination'>

export interface BegunBatch {
  readonly batch: Batch
  readonly plan: PlanState
  /** It was begun by an earlier command and goes on now. */
  readonly resumed: boolean
}

/**
 * Finds the unfinished batch of the same request at a destination, or begins one.
 * @param manifest the manifest's bytes, kept in the batch folder of a new batch so that planning can go on from there
 * @param fresh begin a new batch even where an unfinished one is there
 */
export async function beginBatch(
  sink: Sink,
  request: BatchRequest,
  manifest: () => AsyncIterable<Uint8Array>,
  fresh: boolean,
): Promise<BegunBatch> {
  const begun = fresh ? undefined : await findBegun(sink, request)
  if (begun) return begun
  const key = planKey(request)
  const createdAt = new Date().toISOString()
  const id = idFor(request.manifest.name, createdAt)
  const batch: Batch = { v: 1, id, key, createdAt, destination: sink.url, ...request }
  await keepManifest(sink, id, manifest())
  await writeBatch(sink.records, batch)
  return { batch, plan: await readPlanState(sink.records, id), resumed: false }
}

/** The unfinished batch of the same request, with what changed of it since; undefined when there is none. */
export async function findBegun(sink: Sink, request: BatchRequest): Promise<BegunBatch | undefined> {
  const found = await findUnfinished(sink, planKey(request))
  return found && { ...(await goOn(sink, found, request)), resumed: true }
}

/** As a log, which can be read piece by piece wherever it is. */
async function keepManifest({ records }: Sink, id: string, manifest: AsyncIterable<Uint8Array>): Promise<void> {
  const log = await records.appendTo(names.manifest(id))
  try {
    for await (const chunk of manifest) await log.append(chunk)
  } finally {
    await log.close()
  }
}

async function findUnfinished({ records }: Sink, key: string): Promise<Batch | undefined> {
  for (const batch of (await listBatches(records)).reverse()) {
    if (batch.key === key && !(await isReported(records, batch.id))) return batch
  }
  return undefined
}

/** What does not decide the plan may change between two runs of one batch. */
async function goOn(
  { records }: Sink,
  batch: Batch,
  { existing, servers, bundle, bundleUnverified, complete = batch.complete }: BatchRequest,
): Promise<Omit<BegunBatch, 'resumed'>> {
  const changed: Batch = {
    ...batch,
    existing,
    servers: [...new Set([...batch.servers, ...servers])],
    ...(bundle !== undefined && { bundle }),
    ...(bundleUnverified !== undefined && { bundleUnverified }),
    ...(complete !== undefined && { complete }),
  }
  if (JSON.stringify(changed) !== JSON.stringify(batch)) await writeBatch(records, changed)
  return { batch: changed, plan: await readPlanState(records, batch.id) }
}

function planKey({ manifest, format, servers, filters }: BatchRequest): string {
  const { sha256, format: form, asked } = manifest
  const names = asked === undefined ? [sha256, form] : [asked, 'asked']
  const decides = [...names, format, servers[0] ?? '', ...(filters ? [filters] : [])]
  return createHash('sha256').update(JSON.stringify(decides)).digest('hex').slice(0, 16)
}

/**
 * `2026 list.csv` → `2026-list-20261123-150742-1f0c9a`: safe as a folder, in Redis and in a job id; sorts by time within a
 * name. The end is random, since one Redis may serve two commands that bring the same manifest to two destinations.
 */
function idFor(name: string, createdAt: string): string {
  const stem = basename(name)
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
  const [date = '', time = ''] = createdAt.replaceAll(/[-:]/g, '').split(/[T.]/)
  return `${stem === '' ? 'batch' : stem}-${date}-${time}-${randomBytes(3).toString('hex')}`
}
