import type { BatchId } from '../../model/batch.ts'

/** Prefix of every key in Redis. The braces make a cluster keep all of them in one slot, so that scripts may touch several. */
export const DEFAULT_PREFIX = '{dataferry}'

/** Keys of one batch. A type and not an interface, so that `Object.values` knows that they are strings. */
export type BatchKeys = {
  /** Hash: what the batch is, its state and the progress of its plan. */
  readonly batch: string
  /** Bitmap: line n has ended. */
  readonly settled: string
  /** Bitmap: line n has failed. */
  readonly failed: string
  /** Bitmap: line n waits. */
  readonly waiting: string
  /** Hash: server → when it is looked at next for what waits, in ms since 1970. */
  readonly looks: string
  /** Hash: items by outcome, and their bytes. */
  readonly counters: string
  /** Hash: line → error as JSON. */
  readonly errors: string
  /** Hash: line → crashes of workers that had it. */
  readonly crashes: string
  /** Hash: line → bytes of it at the destination, where the work on it was interrupted. */
  readonly parts: string
  /** List: the last lines of the log about it. */
  readonly log: string
}

export function batchKeys(prefix: string, id: BatchId): BatchKeys {
  const batch = `${prefix}:L:${id}`
  return {
    batch,
    settled: `${batch}:settled`,
    failed: `${batch}:failed`,
    waiting: `${batch}:waiting`,
    looks: `${batch}:looks`,
    counters: `${batch}:counters`,
    errors: `${batch}:errors`,
    crashes: `${batch}:crashes`,
    parts: `${batch}:parts`,
    log: `${batch}:log`,
  }
}

/** Set of the names of all batches. */
export function batchesKey(prefix: string): string {
  return `${prefix}:L`
}

/** Channel for every change of a batch or server. */
export function eventsChannel(prefix: string): string {
  return `${prefix}:events`
}

/** Set of the base URLs of all servers that have a state. */
export function serversKey(prefix: string): string {
  return `${prefix}:S`
}

/** Hash: limits and hold of one server. */
export function serverKey(prefix: string, server: string): string {
  return `${prefix}:S:${server}`
}

/** Set of the ids of all working processes. */
export function workersKey(prefix: string): string {
  return `${prefix}:W`
}

export function workerKey(prefix: string, id: string): string {
  return `${prefix}:W:${id}`
}

/** Hash: process → how many streams of one server it may have open. */
export function slotsKey(prefix: string, server: string): string {
  return `${prefix}:slots:${server}`
}

/** Set of the items that failed since a server's last success as if it were down. */
export function suspectsKey(prefix: string, server: string): string {
  return `${prefix}:suspects:${server}`
}

/** The server's record of a guestbook that was answered for a request, while it counts. */
export function answeredKey(prefix: string, batch: BatchId, request: string): string {
  return `${prefix}:answered:${batch}:${request}`
}
