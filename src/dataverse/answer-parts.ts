import { DataferryError } from '../errors.ts'
import { JsonError } from '../json/json-error.ts'
import type { JsonPart, JsonShape } from '../json/json-parts.ts'
import { readJson } from '../json/read-json.ts'
import type { Answer, ApiRequest, Installation } from './installation.ts'

/** Bytes of an answer: a listing of two million files. */
const LONGEST_ANSWER = 4 * 1024 * 1024 * 1024

/**
 * Asks when there is a slot, and takes the JSON of a success apart as it comes. Any other answer is the error that it stands
 * for.
 */
export async function* answerParts(
  installation: Installation,
  request: ApiRequest,
  shape: JsonShape,
): AsyncGenerator<JsonPart, void, undefined> {
  const slot = await installation.slot(request.signal)
  try {
    const answer = await installation.send(request)
    if (answer.status < 200 || answer.status > 299 || answer.status === 202) throw await installation.failure(answer)
    yield* partsOf(answer, shape)
  } finally {
    slot.release()
  }
}

/** The JSON of an answer; `SOURCE_UNEXPECTED` when it is none or cut off, `SOURCE_MISLISTED` when it is beyond a bound. */
export async function* partsOf(answer: Answer, shape: JsonShape): AsyncGenerator<JsonPart, void, undefined> {
  const options = { maxBytes: LONGEST_ANSWER, nonNumbers: true }
  try {
    for await (const parts of readJson(answer.body.batches(), shape, options)) yield* parts
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    const message = `${answer.host} answered ${answer.what} with something unreadable: ${error.message}.`
    throw new DataferryError(error.isBeyond ? 'SOURCE_MISLISTED' : 'SOURCE_UNEXPECTED', message, { cause: error })
  }
}
