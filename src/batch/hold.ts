import { z } from 'zod'
import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { isUnreadable, parseRecord, recordText } from './record.ts'

const holdSchema = z.object({
  v: z.literal(1),
  state: z.enum(['paused', 'cancelled']),
  /** For people. */
  reason: z.string(),
  at: z.string(),
})
/** `hold.json`: the batch is paused or cancelled. Read when Redis does not know the batch. */
export type Hold = Readonly<z.infer<typeof holdSchema>>

/** @returns undefined when the batch is not on hold; a hold that cannot be read may be a cancellation, so it counts */
export async function readHold(records: Records, id: BatchId): Promise<Hold | undefined> {
  const bytes = await records.read(names.hold(id))
  if (!bytes) return undefined
  try {
    return parseRecord(holdSchema, bytes, names.hold(id))
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return { v: 1, state: 'paused', reason: `by hand; ${error.message}`, at: '' }
  }
}

export async function writeHold(
  records: Records,
  id: BatchId,
  { state, reason }: Pick<Hold, 'state' | 'reason'>,
): Promise<void> {
  const hold: Hold = { v: 1, state, reason, at: new Date().toISOString() }
  await records.write(names.hold(id), recordText(hold))
}

/** Lets the batch go on; repeatable. */
export async function removeHold(records: Records, id: BatchId): Promise<void> {
  await records.remove(names.hold(id))
}
