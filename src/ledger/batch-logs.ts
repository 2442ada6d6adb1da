import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import type { BatchId } from '../model/batch.ts'
import type { RedisClient } from './redis/client.ts'
import { batchKeys, DEFAULT_PREFIX } from './redis/keys.ts'

/** Lines that are kept of a batch, over all processes that work on it. */
export const LINES_KEPT = 100
export const LONGEST_LINE = 500
const KEPT_S = 3 * 24 * 3_600
/** What surrounds the text of a line, and characters that JSON escapes. */
const LONGEST_RECORD = 8 * LONGEST_LINE

export const batchLogLineSchema = z.object({
  at: z.iso.datetime(),
  host: z.string().max(300),
  pid: z.number().int().nonnegative(),
  level: z.enum(['info', 'warn', 'error']),
  text: z.string().max(LONGEST_LINE),
})
/** A line of a log, about one batch. Holds no secret. */
export type BatchLogLine = Readonly<z.infer<typeof batchLogLineSchema>>

/** The end of what all processes have logged about a batch: written by those that work on it, read by the dashboard. */
export class BatchLogs {
  readonly #client: RedisClient
  readonly #prefix: string

  constructor(client: RedisClient, prefix = DEFAULT_PREFIX) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Adds lines, and drops those that are too many. They vanish three days after the last one. */
  async add(batch: BatchId, lines: readonly BatchLogLine[]): Promise<void> {
    const { log } = batchKeys(this.#prefix, batch)
    const texts = lines.map((line) => JSON.stringify(line))
    await this.#client
      .multi()
      .rpush(log, ...texts)
      .ltrim(log, -LINES_KEPT, -1)
      .expire(log, KEPT_S)
      .exec()
  }

  /** The lines that are kept, in the order in which they came here. What cannot be read is left out. */
  async read(batch: BatchId): Promise<readonly BatchLogLine[]> {
    const texts = await this.#client.lrange(batchKeys(this.#prefix, batch).log, -LINES_KEPT, -1)
    const known = texts.filter((text) => text.length <= LONGEST_RECORD)
    return known.flatMap((text) => batchLogLineSchema.safeParse(parseJson(text)).data ?? [])
  }
}
