import type { BundleJob } from '../jobs/bundle.ts'
import type { ItemJob } from '../jobs/item.ts'
import { DataferryError, ERROR_CODES } from '../src/errors.ts'
import type { Ledger } from '../src/ledger/ledger.ts'
import type { Item } from '../src/model/item.ts'
import type { OpenBatch } from './batches.ts'
import { BundleFetch } from './bundle-fetch.ts'
import type { Bundling } from './bundling.ts'
import { BLOCK } from './feed-blocks.ts'
import type { ItemDeps } from './item.ts'
import { runJob, type Attempt, type WorkUnderWay } from './run-job.ts'
import type { Task } from './running.ts'
import { problemOf, settleProblem } from './settle.ts'
import { OVER, type Step } from './step.ts'

export interface BundleDeps extends ItemDeps {
  readonly ledger: Pick<Ledger, 'keepPart' | 'isOpen' | 'settledIn' | 'get' | 'settle' | 'setState'>
  readonly bundling: Pick<Bundling, 'options' | 'failed' | 'succeeded'>
  /** Queues items individually; repeatable. */
  readonly addSingles: (server: string, jobs: readonly ItemJob[]) => Promise<void>
}

/** A bundle whose workers were lost this often is split up. */
const MAX_LOSSES = 3

/**
 * The work on several small items at once: each entry of one ZIP that is one of the items is verified, committed and settled
 * as its own item. Whatever is open afterwards, for whatever reason, is queued individually before this job ends, and no
 * attempt of it is used. Rejects only with bugs and outages.
 */
export async function processBundle(
  job: BundleJob,
  attempt: Attempt,
  lock: AbortSignal | undefined,
  deps: BundleDeps,
): Promise<Step> {
  const entry = await deps.ledger.get(job.batch)
  const { server, attached, withToken } = deps.taker
  if (entry?.state !== 'open' || entry.attached !== attached) return OVER
  if (!attached && entry.tokenServers.includes(server) !== withToken) return OVER
  return runJob({ job, attempt, lock }, deps, async (opened) => {
    const items = await openItems(job, opened, deps)
    const [first] = items
    if (!first) return undefined
    const begin = (task: Task): WorkUnderWay => workOn(items, opened, task)
    return { item: shown(first, items), files: items.length, begin }
  })

  function workOn(items: readonly Item[], opened: OpenBatch, task: Task): WorkUnderWay {
    const bundle = new BundleFetch(items, opened, task)
    const { server } = task.item
    const isWorthIt = attempt.stalled + (job.crashes ?? 0) < MAX_LOSSES
    const addSingles = async (): Promise<void> => {
      const jobs = bundle.left().map(({ n }) => ({ v: 1 as const, batch: job.batch, n, ...bundle.counted }))
      if (jobs.length > 0) await deps.addSingles(server, jobs)
    }
    return {
      run: async () => {
        const missing = await bundle.keepExisting()
        if (missing.length >= 2 && isWorthIt && (await deps.bundling.options(opened, server))) {
          const found = await bundle.fetch(missing, deps.openSource(server, task), attempt.made === 0)
          if (found > 0) deps.bundling.succeeded(opened, server)
          else await deps.bundling.failed(opened, server)
        }
        await addSingles()
      },
      openBytes: () => bundle.left().reduce((sum, { expect }) => sum + (expect.size ?? 0), 0),
      // A server that cannot be reached says nothing about its bundles.
      mayRetry: ({ code }) => code === 'SOURCE_UNREACHABLE' && !bundle.begun,
      // Files that have arrived are settled, and nothing else of a bundle is kept.
      leave: () => Promise.resolve(),
      giveUp: async (error) => {
        if (isServersFault(error)) await deps.bundling.failed(opened, server)
        await addSingles()
      },
    }
  }
}

function isServersFault(error: unknown): boolean {
  if (!(error instanceof DataferryError)) return false
  const { group } = ERROR_CODES[error.code]
  return group === 'source' || group === 'bytes'
}

async function openItems({ batch, ns }: BundleJob, opened: OpenBatch, deps: BundleDeps): Promise<Item[]> {
  const from = Math.min(...ns)
  const to = Math.max(...ns) + 1
  // Redis is not believed: a bundle holds planned lines of one block.
  if (to - from > BLOCK || (await opened.planned(to)) < to) return []
  const settled = await deps.ledger.settledIn(batch, from, to)
  const items: Item[] = []
  for (const n of new Set(ns)) {
    if (settled[n - from] === true) continue
    const item = await opened.items.item(n)
    if (problemOf(item, opened)) await settleProblem(item, opened, deps)
    else if (item.server === deps.taker.server) items.push(item)
  }
  return items
}

/** What people see of a bundle in progress. */
function shown(first: Item, items: readonly Item[]): Item {
  const size = items.reduce((sum, { expect }) => sum + (expect.size ?? 0), 0)
  return { ...first, path: `${items.length} files in one ZIP, from ${first.path}`, expect: { size } }
}
