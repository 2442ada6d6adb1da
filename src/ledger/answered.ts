import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import type { BatchId } from '../model/batch.ts'
import { ANSWER_COUNTS_MS, type GivenAnswers } from '../model/guestbook.ts'
import type { RedisClient } from './redis/client.ts'
import { answeredKey, DEFAULT_PREFIX } from './redis/keys.ts'

const answerSchema = z.object({ id: z.number(), record: z.number(), answeredAt: z.string().max(40) })

/**
 * Answers to guestbooks while they count, for whichever process continues the work of one that died: the number of the record
 * that the server made of each, never what was answered.
 */
export class Answered {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Those of one batch: another user of this Redis gives answers of their own. */
  of(batch: BatchId): GivenAnswers {
    return {
      find: async (request) => {
        const text = await this.#client.get(answeredKey(this.#prefix, batch, request))
        return answerSchema.safeParse(parseJson(text?.slice(0, 500) ?? '')).data
      },
      keep: async (request, { id, record, answeredAt }) => {
        const key = answeredKey(this.#prefix, batch, request)
        await this.#client.set(key, JSON.stringify({ id, record, answeredAt }), 'PX', ANSWER_COUNTS_MS)
      },
    }
  }
}
