import { z } from 'zod'
import { checksumSchema } from '../model/checksum.ts'
import { WITHHELD } from '../model/item.ts'
import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { parseRecord } from './record.ts'

const size = z.number().int().nonnegative().exactOptional()
/** A file as a listing described it, as far as it must be known later. */
export const listedFileSchema = z.object({
  id: z.number().int(),
  label: z.string(),
  directory: z.string(),
  size,
  checksum: checksumSchema.exactOptional(),
  contentType: z.string().exactOptional(),
  tabular: z.boolean(),
  original: z
    .object({ name: z.string().exactOptional(), size, contentType: z.string().exactOptional() })
    .exactOptional(),
  withheld: z.enum(WITHHELD).exactOptional(),
})
const askedSchema = z.object({
  /** As their dataset's listing described them when the archive was planned. */
  files: z.array(listedFileSchema),
  /** Ids that the server does not know: not requested, since one of them may spoil the whole archive. */
  unknown: z.array(z.number().int()),
})
/** What an archive should contain: kept beside the plan, so that items stay small. */
export type Asked = Readonly<z.infer<typeof askedSchema>>

/** Why this cannot be recorded, since its reader would not accept it; undefined: it can. */
export function problemOf(asked: Asked): string | undefined {
  const [issue] = askedSchema.safeParse(asked).error?.issues ?? []
  return issue && `${issue.path.join('.')}: ${issue.message}`
}

/** Records what the archive on line `n` should contain. Written before that line counts, so that a line never lacks it. */
export async function writeAsked(records: Records, batch: BatchId, n: number, asked: Asked): Promise<void> {
  // Parsing drops what is not needed to compare.
  await records.write(names.asked(batch, n), `${JSON.stringify(askedSchema.parse(asked))}\n`)
}

/** @returns undefined for an archive that was planned without a listing. Rejects with `RECORD_UNREADABLE`. */
export async function readAsked(records: Records, batch: BatchId, n: number): Promise<Asked | undefined> {
  const bytes = await records.read(names.asked(batch, n))
  return bytes && parseRecord(askedSchema, bytes, names.asked(batch, n))
}
