import type { BundleJob } from '../jobs/bundle.ts'
import type { ItemJob } from '../jobs/item.ts'
import { DataferryError, ERROR_CODES } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import type { OpenBatch } from './batches.ts'
import { BundleFetch } from './bundle-fetch.ts'
import type { Bundling } from './bundling.ts'
import { BUSY_MS, hindrance, stepAfterStop, THROTTLE_COST } from './hindrance.ts'
import type { Attempt, ItemDeps } from './item.ts'
import { OVER, type Step } from './step.ts'

export interface BundleDeps extends ItemDeps {
  readonly ledger: Pick<Ledger, 'isOpen' | 'settledIn' | 'get' | 'settle' | 'settleAll' | 'setState'>
  readonly bundling: Pick<Bundling, 'options' | 'failed' | 'succeeded'>
  /** Queues items singly; repeatable. */
  readonly addSingles: (server: string, jobs: readonly ItemJob[]) => Promise<void>
}

/** An archive whose workers were lost this often, or that made its server want so many pauses, is taken apart. */
const MAX_STALLS = 3
const MAX_PATIENCE = 20 * THROTTLE_COST

/**
 * The work on several small items at once: each entry of one ZIP that is a wanted file is verified, committed and settled
 * as its own item. Whatever is open afterwards, for whatever reason, is queued singly before this job ends, and no
 * attempt of it is used. Rejects only with bugs and outages.
 */
export async function processBundle(
  job: BundleJob,
  attempt: Attempt,
  lock: AbortSignal | undefined,
  deps: BundleDeps,
): Promise<Step> {
  const entry = await deps.ledger.get(job.batch)
  if (entry?.state !== 'open') return OVER
  const opened = await deps.batches.open(job.batch)
  if (!opened) return OVER
  if (!(await deps.space.isOpen(opened.sink))) return { kind: 'later', ms: BUSY_MS }
  const items = await openItems(job, opened, deps)
  const [first] = items
  if (!first) return OVER
  const { server } = first
  const { task, end } = deps.running.start(job.batch, shown(first, items), lock)
  const bundle = new BundleFetch(items, opened, task, deps)
  const singly = async (): Promise<Step> => {
    const jobs = bundle.left().map(({ n }) => ({ v: 1 as const, batch: job.batch, n, ...bundle.counted }))
    if (jobs.length > 0) await deps.addSingles(server, jobs)
    return OVER
  }
  try {
    const wanted = await bundle.keepExisting()
    const fair = (job.patience ?? 0) < MAX_PATIENCE && attempt.stalled < MAX_STALLS
    if (wanted.length < 2 || !fair || !(await deps.bundling.options(opened, server))) return await singly()
    const had = await bundle.fetch(wanted, deps.openSource(server), attempt.made === 0)
    deps.succeeded(server)
    if (had > 0) deps.bundling.succeeded(opened, server)
    else await deps.bundling.failed(opened, server)
    return await singly()
  } catch (error) {
    if (task.stopped) return stepAfterStop(task.stopped, error)
    const step = await stepAfter(error, bundle, server, opened, { job, attempt }, deps)
    return step ?? (await singly())
  } finally {
    end()
  }
}

/** @returns undefined: the items go on singly */
async function stepAfter(
  error: unknown,
  bundle: BundleFetch,
  server: string,
  opened: OpenBatch,
  { job, attempt }: { readonly job: BundleJob; readonly attempt: Attempt },
  deps: BundleDeps,
): Promise<Step | undefined> {
  const id = opened.batch.id
  const again = attempt.made + 1 < attempt.allowed
  if (!(error instanceof DataferryError)) {
    deps.log.error({ err: error, batch: id }, 'unexpected error while working on an archive')
    return again ? { kind: 'retry', error } : undefined
  }
  deps.log.info({ code: error.code, batch: id, detail: error.message }, 'an archive ended early')
  const openBytes = bundle.left().reduce((sum, { expect }) => sum + (expect.size ?? 0), 0)
  const step = await hindrance(error, { server, opened, openBytes, patience: job.patience ?? 0 }, deps)
  if (step === 'worn-out') return undefined
  if (step) return step
  // A server that cannot be reached says nothing about its archives.
  if (error.code === 'SOURCE_UNREACHABLE' && !bundle.begun && again) return { kind: 'retry', error }
  const { group } = ERROR_CODES[error.code]
  if (group === 'source' || group === 'bytes') await deps.bundling.failed(opened, server)
  return undefined
}

async function openItems({ batch, ns }: BundleJob, opened: OpenBatch, { ledger }: BundleDeps): Promise<Item[]> {
  const from = ns[0] ?? 0
  const settled = await ledger.settledIn(batch, from, (ns.at(-1) ?? from) + 1)
  const items: Item[] = []
  for (const n of ns) if (settled[n - from] !== true) items.push(await opened.items.item(n))
  return items
}

/** What people see of an archive while it is on its way. */
function shown(first: Item, items: readonly Item[]): Item {
  const size = items.reduce((sum, { expect }) => sum + (expect.size ?? 0), 0)
  return { ...first, path: `${items.length} files in one ZIP, from ${first.path}`, expect: { size } }
}
