import { JsonError } from './json-error.ts'
import { JsonParts, type JsonPart, type JsonShape } from './json-parts.ts'

export interface ReadJsonOptions {
  /** Several texts may follow one another. */
  readonly many?: boolean
  /** Longest text, in bytes. */
  readonly maxBytes?: number
  /** See `ScanOptions`. */
  readonly nonNumbers?: boolean
}

/**
 * Splits a JSON text into parts as its bytes arrive, a batch of parts for each chunk. A byte order mark is skipped; of equal
 * names in one object the last counts, as in `JSON.parse`, unless the shape has them: then they are refused.
 * Rejects with a `JsonError` if the text is not UTF-8, not JSON or beyond a limit.
 */
export async function* readJson(
  chunks: AsyncIterable<Uint8Array>,
  shape: JsonShape,
  { maxBytes = Infinity, ...scanning }: ReadJsonOptions = {},
): AsyncGenerator<readonly JsonPart[], void, undefined> {
  const parts = new JsonParts(shape, scanning)
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > maxBytes) throw new JsonError(`the JSON is longer than ${maxBytes} bytes`, parts.line, true)
    yield parts.push(decoded(() => decoder.decode(chunk, { stream: true }), parts))
  }
  yield parts.push(decoded(() => decoder.decode(), parts))
  yield parts.finish()
}

function decoded(decode: () => string, { line }: JsonParts): string {
  try {
    return decode()
  } catch (error) {
    if (error instanceof TypeError) throw new JsonError('the JSON is not UTF-8', line)
    throw error
  }
}
