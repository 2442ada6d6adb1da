import { z } from 'zod'
import { parseJson } from '../../json/parse-json.ts'
import { checkPath } from '../../sinks/names.ts'
import { wholeFile } from '../tree.ts'

const LONGEST_PATH = 4_096
const LONGEST_RECORD = 16 * 1024

const begunSchema = z.object({
  /** The path of its object. */
  object: z.string().max(LONGEST_PATH).refine(isPlain),
  version: z.string().regex(/^v[1-9]\d{0,8}$/),
})

/** A version that a writer has begun to show: noted in `extensions`, so that whoever comes next can put right what a kill leaves. */
export type BegunVersion = Readonly<z.infer<typeof begunSchema>>

/** @returns undefined for what is no such note: nothing is done on the strength of it */
export async function readBegun(chunks: AsyncIterable<Uint8Array>): Promise<BegunVersion | undefined> {
  const bytes = await wholeFile(chunks, LONGEST_RECORD)
  return bytes && begunSchema.safeParse(parseJson(bytes.toString('utf8'))).data
}

/** Whether a path stays in its storage root. */
function isPlain(path: string): boolean {
  try {
    checkPath(path)
    return true
  } catch {
    return false
  }
}
