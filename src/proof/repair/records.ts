import { z } from 'zod'
import { isUnreadable, parseRecord, recordText } from '../../batch/record.ts'
import { batchIdSchema } from '../../model/batch.ts'
import type { Records } from '../../sinks/sink.ts'

const PENDING = 'repair/pending.json'

/** `pending.json`: the repair that goes on, or was cut short. */
const pendingSchema = z.object({
  v: z.literal(1),
  /** When it began, as a folder: what is damaged is kept in it. */
  run: z.string().regex(/^[0-9TZ.-]{1,40}$/),
  /** The batch that fetches, once it has begun. */
  batch: batchIdSchema.optional(),
  /** What is damaged stays aside when the good bytes are there. */
  keepsDamaged: z.literal(true).optional(),
})
export type PendingRepair = Readonly<z.infer<typeof pendingSchema>>

/** The repair that was cut short; undefined: none. Of one whose record is damaged it is known what it keeps aside. */
export async function readPendingRepair(records: Records): Promise<PendingRepair | undefined> {
  const bytes = await records.read(PENDING)
  try {
    return bytes && parseRecord(pendingSchema, bytes, PENDING)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    const run = (await records.folders('repair')).toSorted().at(-1)
    const parsed = pendingSchema.safeParse({ v: 1, run })
    return parsed.success ? parsed.data : undefined
  }
}

export async function writePendingRepair(records: Records, pending: PendingRepair): Promise<void> {
  await records.write(PENDING, recordText(pending))
}

export async function dropPendingRepair(records: Records): Promise<void> {
  await records.remove(PENDING)
}

export function newRepair(now: Date): PendingRepair {
  return { v: 1, run: now.toISOString().replaceAll(':', '-') }
}

/** Where a damaged file is kept, relative to the destination; the folder of all of them. */
export function asideOf({ run }: PendingRepair, path?: string): string {
  const folder = `.dataferry/repair/${run}/aside`
  return path === undefined ? folder : `${folder}/${path}`
}
