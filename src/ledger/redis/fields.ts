import { z } from 'zod'
import type { BatchId } from '../../model/batch.ts'
import {
  batchOwnerSchema,
  type BatchOwner,
  type LedgerBatch,
  type LedgerEntry,
  type LedgerError,
  type Summary,
} from '../ledger.ts'

/** Hashes in Redis hold text only: these schemas bring numbers and lists back. */
const count = z.coerce.number().int().default(0)
const aboutSchema = z.object({
  state: z.enum(['open', 'paused', 'cancelled', 'finished']),
  reason: z.string().default(''),
  destination: z.string(),
  servers: z.string(),
  createdAt: z.string(),
  planned: count,
  plannedBytes: count,
  planComplete: count,
  attached: count,
  tokenServers: z.string().default('[]'),
  owner: z.string().optional(),
})
const countersSchema = z.object({
  done: count,
  kept: count,
  failed: count,
  doneBytes: count,
  keptBytes: count,
})
const serversSchema = z.array(z.string())
const errorSchema = z.object({ code: z.string(), message: z.string(), path: z.string() })

type Hash = Readonly<Record<string, string>>

/** Fields and values of a new batch, in turn, without its state. */
export function entryFields({ destination, servers, createdAt, attached = false }: LedgerBatch): string[] {
  const fields = { destination, servers: JSON.stringify(servers), createdAt, attached: attached ? '1' : '0' }
  return Object.entries(fields).flat()
}

/** @returns undefined for the empty hash, which is how Redis says that there is none. */
export function parseEntry(id: BatchId, hash: Hash): LedgerEntry | undefined {
  if (Object.keys(hash).length === 0) return undefined
  const { state, reason, destination, servers, createdAt, planned, planComplete, ...about } = aboutSchema.parse(hash)
  return {
    id,
    state,
    reason: reason === '' ? undefined : reason,
    destination,
    servers: serversSchema.parse(JSON.parse(servers)),
    createdAt,
    planned,
    planComplete: planComplete === 1,
    attached: about.attached === 1,
    tokenServers: serversSchema.parse(JSON.parse(about.tokenServers)),
    owner: parseOwner(about.owner),
  }
}

/** Reads an owner; undefined for none, and for one of a version that this one does not know. */
export function parseOwner(text: string | undefined): BatchOwner | undefined {
  return text === undefined || text === '' ? undefined : batchOwnerSchema.safeParse(JSON.parse(text)).data
}

export function parseSummary(about: Hash, counters: Hash): Summary {
  const { planned, plannedBytes, planComplete } = aboutSchema.parse(about)
  const { doneBytes: bytes, ...counts } = countersSchema.parse(counters)
  return { planned, plannedBytes, planComplete: planComplete === 1, bytes, ...counts }
}

/** Reads a kept error; undefined when none was kept. */
export function parseError(n: number, text: string | null | undefined): LedgerError | undefined {
  return text ? { n, ...errorSchema.parse(JSON.parse(text)) } : undefined
}
