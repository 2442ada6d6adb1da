import { bundleJobId, type BundleJob } from '../jobs/bundle.ts'
import type { ItemJob } from '../jobs/item.ts'
import { planBundles, type BundleOptions } from '../src/archive/plan-bundles.ts'
import type { BatchId } from '../src/model/batch.ts'
import type { Item } from '../src/model/item.ts'

/**
 * Lines that are looked at together. Blocks begin at multiples of this and bundles do not cross them: so what is in
 * a bundle depends on the plan alone, whichever process feeds and wherever it begins, and adding it again does nothing.
 */
export const BLOCK = 200

/** Jobs to keep queued where many are bundles: each is worth hundreds, so a few per stream are enough. */
export function windowOfBundles(window: number): number {
  return Math.max(8, Math.floor(window / 12))
}

export interface Block {
  readonly batch: BatchId
  /** All items of one server in the block, including those that have ended. */
  readonly items: readonly Item[]
  readonly isSettled: (n: number) => boolean
}

/** What feeding has bundled and must not bundle again. */
export interface Bundled {
  /** Ids of bundles that were added before. */
  readonly ids: Set<string>
  readonly isQueued: (job: BundleJob) => Promise<boolean>
}

/**
 * The jobs for the open lines of a block. A bundle is made once, and only while none of its items has ended: whatever is open
 * when it is over, because the ZIP lacked it or a worker died, is fetched individually.
 */
export async function blockJobs(
  { batch, items, isSettled }: Block,
  options: BundleOptions,
  bundled: Bundled,
): Promise<{ readonly bundles: BundleJob[]; readonly singles: ItemJob[] }> {
  const bundles: BundleJob[] = []
  const singles: ItemJob[] = []
  for (const planned of planBundles(items, options)) {
    const all = planned.kind === 'single' ? [planned.item] : planned.items
    const open = all.filter(({ n }) => !isSettled(n))
    if (open.length === 0) continue
    const job: BundleJob = { v: 1, batch, ns: all.map(({ n }) => n) }
    const id = bundleJobId(job)
    if (planned.kind === 'bundle' && open.length === all.length && !bundled.ids.has(id)) {
      bundled.ids.add(id)
      bundles.push(job)
    } else if (planned.kind === 'single' || !(await bundled.isQueued(job))) {
      singles.push(...open.map(({ n }) => ({ v: 1 as const, batch, n })))
    }
  }
  singles.sort((a, b) => a.n - b.n)
  return { bundles, singles }
}
