import { z } from 'zod'
import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { isUnreadable, parseRecord, recordText } from './record.ts'

const accessRequestSchema = z.object({
  v: z.literal(1),
  /**
   * - `asking`: written before the request is sent; whether it arrived is for the server to say
   * - `asked`: it was made · `rejected`: it seems to have been rejected, which the file's next refusal tells
   */
  state: z.enum(['asking', 'asked', 'rejected']),
  /** When it was made. */
  at: z.string(),
  /** This user had requested the file before, at another time: then the server cannot tell whether this request arrived. */
  again: z.literal(true).optional(),
})
/** `requests/<n>.json`: that access was requested to the file on line `n`. One of them is why it is never requested twice. */
export type AccessRequest = Readonly<z.infer<typeof accessRequestSchema>>

/** @returns undefined when none was made; one that cannot be read may have been made, so it counts as `asking` */
export async function readAccessRequest(
  records: Records,
  batch: BatchId,
  n: number,
): Promise<AccessRequest | undefined> {
  const bytes = await records.read(names.request(batch, n))
  if (!bytes) return undefined
  try {
    return parseRecord(accessRequestSchema, bytes, names.request(batch, n))
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return { v: 1, state: 'asking', at: new Date().toISOString() }
  }
}

export async function writeAccessRequest(
  records: Records,
  batch: BatchId,
  n: number,
  { state, at, again }: Pick<AccessRequest, 'state' | 'at' | 'again'>,
): Promise<void> {
  const request: AccessRequest = { v: 1, state, at, ...(again && { again }) }
  await records.write(names.request(batch, n), recordText(request))
}

/** The server did not take the request: there is none. */
export async function removeAccessRequest(records: Records, batch: BatchId, n: number): Promise<void> {
  await records.remove(names.request(batch, n))
}
