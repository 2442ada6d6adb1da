import { randomUUID } from 'node:crypto'
import { DataferryError } from '../../errors.ts'
import type { Item } from '../../model/item.ts'
import { ConditionFailed, type Bucket, type Condition } from './bucket.ts'
import type { S3Options } from './client.ts'
import { checkedByStore, headersOf, writeOf } from './metadata.ts'
import type { StageOptions, Statement } from '../sink.ts'

interface WholePlace {
  readonly bucket: Bucket
  readonly options: S3Options
  /** What was seen at the path before: that is replaced, and nothing newer. */
  readonly condition: Condition
}

/** Publishes an item in one request. Rejects with `SINK_…` codes or the signal's reason. */
export async function putWhole(
  { bucket, options, condition }: WholePlace,
  { item, key, signal }: StageOptions,
  body: Uint8Array,
  statement: Statement,
): Promise<void> {
  const write = randomUUID()
  const headers = { ...headersOf(item, { key, write }, options, statement), ...checkedByStore(statement.checksum) }
  try {
    await bucket.put(bucket.location.objectKey(item.path), body, { headers, condition, signal })
  } catch (error) {
    await unlessOurs(bucket, item, write, error)
  }
}

/** A write may have succeeded despite an error; the object's write id tells. */
export async function unlessOurs(bucket: Bucket, { path }: Item, write: string, error: unknown): Promise<void> {
  const there = await bucket.head(bucket.location.objectKey(path))
  if (there && writeOf(there) === write) return
  if (error instanceof ConditionFailed)
    throw new DataferryError('SINK_BUSY', `Another file was put at ${path} in the meantime: it is checked first.`)
  throw error
}
