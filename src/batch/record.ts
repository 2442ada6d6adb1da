import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { parseJson } from '../json/parse-json.ts'
import { LONGEST_RECORD } from '../sinks/sink.ts'

const versionSchema = z.looseObject({ v: z.number() })

/** Writes a record that is one JSON document. */
export function recordText(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** Reads such a record by the schema that wrote it. Throws `RECORD_UNREADABLE`. */
export function parseRecord<T>(schema: z.ZodType<T>, bytes: Uint8Array, name: string): T {
  const value = bytes.length > LONGEST_RECORD ? undefined : parseJson(Buffer.from(bytes).toString('utf8'))
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const other = versionSchema.safeParse(value)
  const why =
    other.success && other.data.v !== 1
      ? `is from another version of dataferry (format ${other.data.v}; this one reads format 1)`
      : 'is damaged'
  throw unreadable(`.dataferry/${name} ${why}.`)
}

export function unreadable(message: string): DataferryError {
  return new DataferryError('RECORD_UNREADABLE', message)
}

/** Whether an error says that a record cannot be read and no other record replaces it. */
export function isUnreadable(error: unknown): error is DataferryError {
  return error instanceof DataferryError && error.code === 'RECORD_UNREADABLE'
}

/** A line of a log, without its line break. */
export interface RecordLine {
  /** Undefined: longer than {@link LONGEST_LINE}, so not kept in memory. */
  readonly text: string | undefined
  /** Offset of its first byte in the log, and of the byte behind its line break. */
  readonly from: number
  readonly to: number
}

/** Bytes of a line. The longest ones are receipts of archives, which name every file that is not in them. */
const LONGEST_LINE = 64 << 20

const LINE_FEED = 10

/**
 * The whole lines of a log, in order; a last line torn by a crash is left out.
 * @param from offset of the first chunk
 */
export async function* recordLines(chunks: AsyncIterable<Uint8Array>, from = 0): AsyncGenerator<RecordLine> {
  let start = from
  let at = from
  let kept: Uint8Array[] = []
  for await (const chunk of chunks) {
    let begin = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, begin)) {
      const to = at + end + 1
      const piece = chunk.subarray(begin, end)
      const whole = kept.length === 0 ? piece : Buffer.concat([...kept, piece])
      yield {
        text:
          to - start > LONGEST_LINE
            ? undefined
            : Buffer.from(whole.buffer, whole.byteOffset, whole.length).toString('utf8'),
        from: start,
        to,
      }
      kept = []
      start = to
      begin = end + 1
    }
    at += chunk.length
    // A chunk may be used again for the next one.
    if (at - start <= LONGEST_LINE) kept.push(Uint8Array.from(chunk.subarray(begin)))
    else kept = []
  }
}
