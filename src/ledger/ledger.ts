import { z } from 'zod'
import { DataferryError, isErrorCode, type ErrorCode } from '../errors.ts'
import type { BatchId } from '../model/batch.ts'
import type { Outcome } from '../model/receipt.ts'
import { processIdentitySchema } from '../process/process-identity.ts'

/** An owner that has been silent for this long loses its batch, claim or run to the next process that asks for it. */
export const OWNER_SILENT_MS = 60_000

/**
 * - `open`: being worked on · `paused`: nothing starts, running work parks · `cancelled`: as paused, for good
 * - `waiting`: every line has ended or waits, and a report says so; it opens again when something may continue
 * - `finished`: every line has ended, and the report is written
 */
export const BATCH_STATES = ['open', 'waiting', 'paused', 'cancelled', 'finished'] as const
export type BatchState = (typeof BATCH_STATES)[number]

/** What workers must know about a batch without reading its folder. Holds no secret. */
export interface LedgerBatch {
  readonly id: BatchId
  readonly destination: string
  readonly servers: readonly string[]
  readonly createdAt: string
  /** For a batch that Redis does not know yet: nobody works on it before `attach` or `detach`. Absent: every worker may. */
  readonly attached?: boolean
}

/** The one process that works on an attached batch. */
export const batchOwnerSchema = processIdentitySchema.extend({
  /** New for each start of a process. */
  id: z.string(),
})
export type BatchOwner = Readonly<z.infer<typeof batchOwnerSchema>>

/** Who asks for an item: a process that takes the jobs of one server from one of its queues. */
export interface Taker {
  readonly server: string
  /** The queue is the batch's own. */
  readonly attached: boolean
  /** The queue is that of workers which have the server's token. */
  readonly withToken: boolean
}

export interface LedgerEntry extends LedgerBatch {
  readonly state: BatchState
  /** Only its owner works on it; otherwise every worker of this Redis does. */
  readonly attached: boolean
  /** Servers whose requests need a token, if workers make them. */
  readonly tokenServers: readonly string[]
  /** The owner of an attached batch; undefined: none, until its command is run again. */
  readonly owner: BatchOwner | undefined
  /** Why it is paused, for people. */
  readonly reason: string | undefined
  /** Lines of `items.ndjson` that may be fed. */
  readonly planned: number
  readonly planComplete: boolean
}

/** What workers paused a batch with, since it needs a person: a token, credentials, a bucket. Undefined: they did not. */
export function pausedWith({ reason = '' }: Pick<LedgerEntry, 'reason'>): PausedWith | undefined {
  const [code = ''] = reason.split(': ')
  return isErrorCode(code) ? { code, message: reason.slice(code.length + 2) } : undefined
}

interface PausedWith {
  readonly code: ErrorCode
  readonly message: string
}

/** How an item ended, or that it waits, as far as the index needs it. */
export interface Settled {
  readonly state: 'done' | 'kept' | 'failed' | 'waiting'
  /** Of the committed file. */
  readonly bytes: number
  /** For `failed`: code and message. */
  readonly error?: { readonly code: string; readonly message: string; readonly path: string }
}

/** What the index keeps of an outcome. */
export function settledAs(outcome: Outcome): Settled {
  if (outcome.state === 'waiting') return { state: 'waiting', bytes: 0 }
  if (outcome.state !== 'failed') return { state: outcome.state, bytes: outcome.size }
  const { code, message, path } = outcome
  return { state: 'failed', bytes: 0, error: { code, message, path } }
}

/** How much of a line is at the destination while somebody works on it. */
export interface HeldLine {
  readonly n: number
  readonly bytes: number
}

/** An item that succeeded. */
export interface SettledLine {
  readonly n: number
  readonly state: 'done' | 'kept'
  readonly bytes: number
}

/** How a line stands: `there` is done or kept. */
export type LineState = 'open' | 'there' | 'failed' | 'waiting'

/** Items by outcome. */
export interface Counts {
  readonly done: number
  readonly kept: number
  readonly failed: number
  /** For access, or the end of an embargo. */
  readonly waiting: number
  /** Bytes of items `done`. */
  readonly bytes: number
  /** Bytes of items `kept`. */
  readonly keptBytes: number
}

export interface Summary extends Counts {
  readonly planned: number
  readonly planComplete: boolean
  readonly plannedBytes: number
}

export interface LedgerError {
  readonly n: number
  readonly code: string
  readonly message: string
  readonly path: string
}

/** The fast exact index of what has ended. It can always be rebuilt from the destination; see ARCHITECTURE.md. */
export interface Ledger {
  /**
   * Makes the batch known; repeatable, keeps an existing entry.
   * @param hold the state of a batch that was not known before; `open` unless given
   */
  open(batch: LedgerBatch, hold?: { readonly state: BatchState; readonly reason: string }): Promise<void>
  get(id: BatchId): Promise<LedgerEntry | undefined>
  list(): Promise<readonly LedgerEntry[]>
  setState(id: BatchId, state: BatchState, reason?: string): Promise<void>
  /** As `setState`, if the batch is in one of these states: nothing that a person decided meanwhile is undone. @returns whether it was */
  moveState(id: BatchId, from: readonly BatchState[], to: BatchState): Promise<boolean>
  /** Where a batch goes on, since its destination was moved or is known by another path now. For its owner alone. */
  setDestination(id: BatchId, destination: string): Promise<void>
  /**
   * Makes `owner` the one process that works on a batch; renews the lease if it already is.
   * @param instead id of an owner that is proven dead
   * @returns the present owner, if it was heard from within the last minute; undefined: `owner` has it now
   */
  attach(id: BatchId, owner: BatchOwner, instead?: string): Promise<BatchOwner | undefined>
  /** Releases an owner's batch, which then waits for its command or `detach`; does nothing to another owner's batch. */
  disown(id: BatchId, owner: string): Promise<void>
  /** Leaves a batch to the workers of this Redis. */
  detach(id: BatchId, tokenServers: readonly string[]): Promise<void>
  /** Lines 0 … planned − 1 may be fed; `plannedBytes` is the sum of their known sizes. */
  setPlanned(id: BatchId, planned: number, plannedBytes: number, complete: boolean): Promise<void>
  /**
   * Whether a worker may take this line up: its batch is open and still waits in the queue that the job came from, and the line is
   * planned and has not ended. One question for each job.
   */
  isOpen(id: BatchId, n: number, taker: Taker): Promise<boolean>
  /** For lines `from` … `to` − 1: whether each has ended or waits. */
  settledIn(id: BatchId, from: number, to: number): Promise<readonly boolean[]>
  /** For lines `from` … `to` − 1: how each stands. */
  statesIn(id: BatchId, from: number, to: number): Promise<readonly LineState[]>
  /** Counts an outcome exactly once. @returns false: it had ended before, nothing was counted. */
  settle(id: BatchId, n: number, end: Settled): Promise<boolean>
  /** As `settle` for items that did not fail, in one step; a few hundred at most. @returns how many were counted */
  settleAll(id: BatchId, ends: readonly SettledLine[]): Promise<number>
  /**
   * Opens those of these lines that are in this state, so that they are fed again; others are left alone: what waited a moment
   * ago may have failed since.
   * @returns how many
   */
  reopen(id: BatchId, lines: readonly number[], from: 'failed' | 'waiting'): Promise<number>
  /** The first line that neither has ended nor waits, where feeding always continues. May be ≥ planned. */
  firstOpen(id: BatchId): Promise<number>
  /** Line numbers that failed, ascending. */
  failed(id: BatchId): AsyncIterable<number>
  /** The kept errors of these lines; a line that has none is left out. */
  errorsAt(id: BatchId, lines: readonly number[]): Promise<readonly LedgerError[]>
  /** The kept errors of failed items: at most 100,000. */
  errors(id: BatchId): AsyncIterable<LedgerError>
  summary(id: BatchId): Promise<Summary>
  /**
   * Remembers how much of a line is at the destination, where the work on it was interrupted: for people alone, so an unknown batch
   * is no error, and of very many lines not all are remembered.
   */
  keepPart(id: BatchId, n: number, bytes: number): Promise<void>
  /**
   * Bytes at the destination of lines that have not ended, by line: what is kept of them, as far as it is remembered.
   * @param held what workers have of lines now, which is newer
   */
  parts(id: BatchId, held?: readonly HeldLine[]): Promise<ReadonlyMap<number, number>>
  /** When each server is looked at next for what waits, in ms since 1970; a server without an entry is due. */
  nextLooks(id: BatchId): Promise<ReadonlyMap<string, number>>
  setNextLook(id: BatchId, server: string, at: number): Promise<void>
  /** Counts one more crash of a worker that had this line. @returns crashes so far. */
  crashed(id: BatchId, n: number): Promise<number>
  /**
   * Replaces the counters by what the receipts say: after a crash between receipt and settle the two may differ in whether
   * an item was fetched or found there. For a batch whose every line has ended.
   */
  correct(id: BatchId, counts: Counts): Promise<void>
  /** Drops everything known about a batch. */
  forget(id: BatchId): Promise<void>
}

/** The error of every ledger for an unknown batch. */
export function unknownBatch(id: BatchId): DataferryError {
  return new DataferryError('BATCH_NOT_FOUND', `Redis knows no batch ${id}.`)
}
