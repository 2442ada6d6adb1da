import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import type { BatchId } from '../model/batch.ts'
import { BATCH_STATES, type BatchState } from './ledger.ts'

/** What processes tell one another. */
export type Change =
  | { readonly kind: 'batch'; readonly id: BatchId; readonly state: BatchState | 'forgotten' }
  /** Feeding has something to do: the first lines are planned, the last one is, or every one has ended. */
  | { readonly kind: 'ready'; readonly id: BatchId }
  | { readonly kind: 'server'; readonly server: string }
  /** The connection was lost: changes may have been missed, so reread whatever matters. */
  | { readonly kind: 'missed' }

/** The source of changes. Every process has one; `redisChanges` is the real one. */
export interface Changes {
  /** Calls `listener` at each change from now on, including those by this process. @returns a function that stops it */
  onChange(listener: (change: Change) => void): () => void
  /** Ends every listener and the connection. */
  close(): Promise<void>
}

const STATES = [...BATCH_STATES, 'forgotten'] as const

const changeSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('batch'), id: z.string(), state: z.enum(STATES) }),
  z.object({ kind: z.literal('ready'), id: z.string() }),
  z.object({ kind: z.literal('server'), server: z.string() }),
])

export function changeMessage(change: z.infer<typeof changeSchema>): string {
  return JSON.stringify(change)
}

/** Reads a message of the channel; undefined for one that this version does not know. */
export function parseChange(message: string): Change | undefined {
  return changeSchema.safeParse(parseJson(message)).data
}
