import { DataferryError } from '../errors.ts'
import { JsonError } from '../json/json-error.ts'
import type { JsonPart, JsonShape } from '../json/json-parts.ts'
import { readJson } from '../json/read-json.ts'
import type { Answer, ApiRequest, Installation } from './installation.ts'

/** Bytes of an answer: a listing of two million files. */
const LONGEST_ANSWER = 4 * 1024 * 1024 * 1024

/** Asks, and takes the JSON of a success apart as it comes. Any other answer is the error that it stands for. */
export async function* answerParts(
  installation: Installation,
  request: ApiRequest,
  shape: JsonShape,
): AsyncGenerator<JsonPart, void, undefined> {
  const answer = await installation.send(request)
  if (answer.status < 200 || answer.status > 299 || answer.status === 202) throw await installation.failure(answer)
  yield* partsOf(answer, shape)
}

/** The JSON of an answer; `SOURCE_UNEXPECTED` when it is none, beyond a bound or cut off. */
export async function* partsOf(answer: Answer, shape: JsonShape): AsyncGenerator<JsonPart, void, undefined> {
  try {
    for await (const parts of readJson(answer.body.batches(), shape, { maxBytes: LONGEST_ANSWER })) yield* parts
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    const message = `${answer.host} answered ${answer.what} with something that cannot be read: ${error.message}.`
    throw new DataferryError('SOURCE_UNEXPECTED', message, { cause: error })
  }
}
