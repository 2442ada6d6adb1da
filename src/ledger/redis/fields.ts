import { z } from 'zod'
import { parseJson } from '../../json/parse-json.ts'
import { batchIdSchema, type BatchId } from '../../model/batch.ts'
import {
  BATCH_STATES,
  batchOwnerSchema,
  type BatchOwner,
  type LedgerBatch,
  type LedgerEntry,
  type LedgerError,
  type Summary,
} from '../ledger.ts'

/** Characters of a value that is JSON. */
const LONGEST_JSON = 1 << 20

/** Hashes in Redis hold text only: these schemas bring numbers and lists back. */
const count = z.coerce.number().int().nonnegative().default(0)
/** More lines than a bitmap in Redis has bits cannot be counted. */
const lines = z.coerce
  .number()
  .int()
  .min(0)
  .max(2 ** 32)
  .default(0)
const listSchema = z.string().max(LONGEST_JSON).transform(parseJson).pipe(z.array(z.string()).max(1_000))
const aboutSchema = z.object({
  state: z.enum(BATCH_STATES),
  reason: z.string().default(''),
  destination: z.string(),
  servers: listSchema,
  createdAt: z.string(),
  planned: lines,
  plannedBytes: count,
  planComplete: count,
  attached: count,
  tokenServers: listSchema.prefault('[]'),
  owner: z.string().optional(),
})
/** They are put right when a batch has ended. */
const counter = count.catch(0)
const countersSchema = z.object({
  done: counter,
  kept: counter,
  failed: counter,
  waiting: counter,
  doneBytes: counter,
  keptBytes: counter,
})
const errorSchema = z.object({ code: z.string(), message: z.string(), path: z.string() })

type Hash = Readonly<Record<string, string>>

/** Fields and values of a new batch, alternating, without its state. */
export function entryFields({ destination, servers, createdAt, attached = false }: LedgerBatch): string[] {
  const fields = { destination, servers: JSON.stringify(servers), createdAt, attached: attached ? '1' : '0' }
  return Object.entries(fields).flat()
}

/** @returns undefined for what is no batch: the empty hash, which is how Redis says that there is none, or a damaged one */
export function parseEntry(id: BatchId, hash: Hash): LedgerEntry | undefined {
  const parsed = aboutSchema.safeParse(hash)
  if (!parsed.success || !batchIdSchema.safeParse(id).success) return undefined
  const { state, reason, destination, servers, createdAt, planned, planComplete, ...about } = parsed.data
  return {
    id,
    state,
    reason: reason === '' ? undefined : reason,
    destination,
    servers,
    createdAt,
    planned,
    planComplete: planComplete === 1,
    attached: about.attached === 1,
    tokenServers: about.tokenServers,
    owner: parseOwner(about.owner),
  }
}

/** Reads an owner; undefined for none, and for one of an unknown version. */
export function parseOwner(text: string | undefined): BatchOwner | undefined {
  return batchOwnerSchema.safeParse(parseJson(text ?? '')).data
}

/** @returns undefined for what is no batch */
export function parseSummary(about: Hash, counters: Hash): Summary | undefined {
  const parsed = aboutSchema.safeParse(about)
  if (!parsed.success) return undefined
  const { planned, plannedBytes, planComplete } = parsed.data
  const { doneBytes: bytes, ...counts } = countersSchema.parse(counters)
  return { planned, plannedBytes, planComplete: planComplete === 1, bytes, ...counts }
}

/** Reads lines and the bytes of each, alternating; a size that cannot be read counts as nothing. */
export function parseParts(reply: unknown): ReadonlyMap<number, number> {
  const numbers = z.array(z.coerce.number().catch(0)).catch([]).parse(reply)
  const parts = new Map<number, number>()
  for (let i = 0; i + 1 < numbers.length; i += 2) parts.set(numbers[i] ?? 0, numbers[i + 1] ?? 0)
  return parts
}

/** Reads a kept error; undefined when none was kept that can be read. */
export function parseError(n: number, text: string | null | undefined): LedgerError | undefined {
  const error = errorSchema.safeParse(parseJson(text ?? '')).data
  return error && { n, ...error }
}
