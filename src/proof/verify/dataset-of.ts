import { LRUCache } from 'lru-cache'
import { ItemsReader } from '../../batch/items-file.ts'
import type { Finding } from '../../batch/verify-destination.ts'
import type { BatchId } from '../../model/batch.ts'
import type { Records } from '../../sinks/sink.ts'

/** Plans that are read at the same time: findings of one folder are mostly of one batch. */
const PLANS = 16

/** Finds the PID of the dataset that a finding belongs to; undefined where no record tells. */
export function datasetOf(records: Records): (finding: Finding) => Promise<string | undefined> {
  const plans = new LRUCache<BatchId, ItemsReader>({ max: PLANS })
  return async (finding) => {
    if (!('batch' in finding)) return undefined
    const { batch, n, mirror, dataset } = finding
    if (mirror !== undefined) return dataset
    const plan = plans.get(batch) ?? new ItemsReader(records, batch)
    plans.set(batch, plan)
    return (await plan.item(n)).origin?.dataset
  }
}
