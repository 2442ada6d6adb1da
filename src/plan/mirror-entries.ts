import { z } from 'zod'
import { listedFileSchema } from '../batch/asked.ts'
import { recordLines, unreadable } from '../batch/record.ts'
import { parseJson } from '../json/parse-json.ts'
import type { Entry } from '../model/entry.ts'

/** The form of a manifest that a mirror makes of what it lacks: nothing of it is asked for again. */
export const MIRROR_FORMAT = 'mirror'

const lineSchema = z.object({
  path: z.string(),
  dataset: z.string(),
  version: z.string(),
  file: listedFileSchema,
  guestbook: z.number().int().optional(),
})
export type MirrorLine = Readonly<z.infer<typeof lineSchema>>

export function formatMirrorLine(line: MirrorLine): string {
  // Parsing drops what fetching does not need.
  return `${JSON.stringify(lineSchema.parse(line))}\n`
}

/** The entries of such a manifest. Rejects with `RECORD_UNREADABLE` where it is damaged. */
export async function* mirrorEntries(
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ readonly line: number; readonly entry: Entry }> {
  let line = 0
  for await (const { text } of recordLines(bytes)) {
    line++
    const parsed = lineSchema.safeParse(text === undefined ? undefined : parseJson(text))
    if (!parsed.success) throw unreadable(`Line ${line} of what the mirror lacks is damaged.`)
    const { path, dataset, version, file, guestbook } = parsed.data
    const target = { kind: 'file' as const, file: file.id }
    yield {
      line,
      entry: {
        target,
        path,
        listed: file,
        listedIn: { dataset, version, ...(guestbook !== undefined && { guestbookId: guestbook }) },
      },
    }
  }
}
