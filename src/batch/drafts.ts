import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { BatchId } from '../model/batch.ts'
import { processIdentitySchema, type ProcessIdentity } from '../process/process-identity.ts'
import type { Records } from '../sinks/sink.ts'
import { names, removeFolder } from './folder.ts'
import { isUnreadable, parseRecord, recordText } from './record.ts'

/** All in one folder: one listing tells what was only planned, however many batches there are. */
const FOLDER = 'drafts'
const ENDING = '.json'
const nameOf = (id: BatchId): string => `${FOLDER}/${id}${ENDING}`

const draftSchema = z.object({
  v: z.literal(1),
  at: z.string(),
  /** The dashboard that shows it, and removes it when nobody looks any more. Absent: a command made it, and it stays. */
  shownBy: processIdentitySchema.optional(),
})
/** `drafts/<batch>.json`: the batch was planned to be looked at, and nobody has asked for its files yet. */
export type Draft = Readonly<z.infer<typeof draftSchema>>

/** The drafts of a destination. One that cannot be read counts as made by a command. */
export async function readDrafts(records: Records): Promise<ReadonlyMap<BatchId, Draft>> {
  const drafts = new Map<BatchId, Draft>()
  for (const name of await records.list(FOLDER)) {
    const draft = await readDraft(records, name)
    if (draft && name.endsWith(ENDING)) drafts.set(name.slice(FOLDER.length + 1, -ENDING.length), draft)
  }
  return drafts
}

async function readDraft(records: Records, name: string): Promise<Draft | undefined> {
  const bytes = await records.read(name)
  try {
    return bytes && parseRecord(draftSchema, bytes, name)
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return { v: 1, at: '' }
  }
}

/** Marks a batch as a draft, before it exists. */
export async function markDraft(records: Records, id: BatchId, shownBy?: ProcessIdentity): Promise<void> {
  const draft: Draft = { v: 1, at: new Date().toISOString(), ...(shownBy && { shownBy }) }
  await records.write(nameOf(id), recordText(draft))
}

/** From now on the files of the batch are asked for. Repeatable. */
export async function endDraft(records: Records, id: BatchId): Promise<void> {
  await records.remove(nameOf(id))
}

/** Whether a draft is that of a dashboard other than this one: nobody else goes on with it. */
export function isShownElsewhere(draft: Draft | undefined, here?: ProcessIdentity): boolean {
  return draft?.shownBy !== undefined && !isDeepStrictEqual(draft.shownBy, here)
}

/** Removes a draft with all that its planning left. One that was fetched all the same, by an earlier version, is only unmarked. */
export async function removeDraft(records: Records, id: BatchId): Promise<void> {
  const isUntouched = (await records.list(names.receipts(id))).length === 0
  if (isUntouched) await removeFolder(records, id, names.batch(id))
  await endDraft(records, id)
}
