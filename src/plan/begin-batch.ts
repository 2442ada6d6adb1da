import { createHash, randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { markDestination } from '../batch/destination.ts'
import { endDraft, isShownElsewhere, markDraft, readDrafts } from '../batch/drafts.ts'
import { EMPTY_PLAN, listBatches, writeBatch } from '../batch/folder.ts'
import { isUnreadable } from '../batch/record.ts'
import { isReported } from '../batch/report.ts'
import type { DataferryError } from '../errors.ts'
import type { Batch, PlanState } from '../model/batch.ts'
import type { ProcessIdentity } from '../process/process-identity.ts'
import type { Sink } from '../sinks/sink.ts'
import { isKept, keepManifest } from './manifest-copy.ts'
import { openPlan } from './open-plan.ts'

/** What a command line asks for, before there is a batch. */
export type BatchRequest = Omit<Batch, 'v' | 'id' | 'key' | 'createdAt' | 'destination'> & {
  /** It is only planned: a new batch is a draft until it is asked for otherwise. Absent: its files are to be fetched. */
  readonly draft?: true
  /** The dashboard that asks: drafts of others are none of its business, and it removes its own ones. */
  readonly shownBy?: ProcessIdentity
}

export interface BegunBatch {
  readonly batch: Batch
  readonly plan: PlanState
  /** It was begun by an earlier command and continues now. */
  readonly resumed: boolean
}

/** Called with what is wrong with a batch that cannot be read and is skipped. */
type PassedOver = (error: DataferryError) => void

/**
 * Finds the unfinished batch of the same request at a destination, or begins one.
 * @param manifest the manifest's bytes, kept in the batch folder of a new batch so that planning can continue from there
 * @param fresh begin a new batch even if there is an unfinished one
 */
export async function beginBatch(
  sink: Sink,
  request: BatchRequest,
  manifest: () => AsyncIterable<Uint8Array>,
  fresh: boolean,
  passedOver?: PassedOver,
): Promise<BegunBatch> {
  const begun = fresh ? undefined : await findBegun(sink, request, passedOver, manifest)
  if (begun) return begun
  const { draft, shownBy, ...asked } = request
  const key = planKey(request)
  const createdAt = new Date().toISOString()
  const id = idFor(request.manifest.name, createdAt)
  const batch: Batch = { v: 1, id, key, createdAt, destination: sink.url, ...asked }
  await markDestination(sink.records)
  if (draft) await markDraft(sink.records, id, shownBy)
  await keepManifest(sink.records, id, manifest())
  await writeBatch(sink.records, batch)
  return { batch, plan: EMPTY_PLAN, resumed: false }
}

/**
 * The unfinished batch of the same request, updated with what may change between runs; undefined when there is none.
 * @param manifest its bytes, if available: they replace a damaged copy
 */
export async function findBegun(
  sink: Sink,
  request: BatchRequest,
  passedOver: PassedOver = () => undefined,
  manifest?: () => AsyncIterable<Uint8Array>,
): Promise<BegunBatch | undefined> {
  const { records } = sink
  const key = planKey(request)
  const newestFirst = (await listBatches(records, (_, error) => passedOver(error))).reverse()
  const drafts = await readDrafts(records)
  for (const batch of newestFirst) {
    if (batch.key !== key || isShownElsewhere(drafts.get(batch.id), request.shownBy)) continue
    if (await isReported(records, batch.id)) continue
    try {
      if (manifest && !(await isKept(records, batch))) await keepManifest(records, batch.id, manifest())
      return { ...(await goOn(sink, batch, request)), resumed: true }
    } catch (error) {
      if (!isUnreadable(error)) throw error
      passedOver(error)
    }
  }
  return undefined
}

/** What does not affect the plan may change between two runs of one batch. */
async function goOn(
  { records, url }: Sink,
  batch: Batch,
  { existing, servers, bundle, bundleUnverified, complete = batch.complete, digests, acceptTerms, draft }: BatchRequest,
): Promise<Omit<BegunBatch, 'resumed'>> {
  const changed: Batch = {
    ...batch,
    destination: url,
    existing,
    servers: [...new Set([...batch.servers, ...servers])],
    ...(bundle !== undefined && { bundle }),
    ...(bundleUnverified !== undefined && { bundleUnverified }),
    ...(complete !== undefined && { complete }),
    ...(digests && { digests: [...new Set([...(batch.digests ?? []), ...digests])] }),
    ...(acceptTerms && { acceptTerms }),
  }
  const plan = await openPlan(records, changed)
  if (JSON.stringify(changed) !== JSON.stringify(batch)) await writeBatch(records, changed)
  if (!draft) await endDraft(records, batch.id)
  return { batch: changed, plan }
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
