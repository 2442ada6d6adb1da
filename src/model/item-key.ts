import type { BatchId } from './batch.ts'

/** `<batch>-<n>`: names one item of all batches, in the queue (its job) and at the destination (its stage, part and mark). */
export type ItemKey = string

export function itemKey(batch: BatchId, n: number): ItemKey {
  return `${batch}-${n}`
}

/** The batch of an item's key; undefined for a key of another kind. Names of batches may hold hyphens, too. */
export function batchOfKey(key: string): BatchId | undefined {
  return /^(.+)-\d+$/s.exec(key)?.[1]
}
