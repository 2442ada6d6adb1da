import type { Notice } from './notice.ts'
import type { Speed } from './speedometer.ts'

/** How far a batch is, or another work on many files. */
export interface ProgressSnapshot {
  readonly batch?: string
  /** What is being done, where that is not to fetch. */
  readonly phase?: string
  /** Items known so far; all of them once `planComplete`. */
  readonly planned: number
  readonly planComplete: boolean
  /** Sum of the known sizes of the planned items. */
  readonly plannedBytes: number
  readonly done: number
  /** Items that were already at the destination. */
  readonly kept: number
  readonly failed: number
  /** Items that cannot be downloaded yet. */
  readonly waiting: number
  /** Bytes of items done, and of those in progress so far. */
  readonly bytes: number
  /** Bytes of items kept: planned, but not to be fetched. */
  readonly keptBytes: number
  readonly active: readonly ActiveFile[]
  /** For people, e.g. that a server asked for a pause. */
  readonly notices: readonly Notice[]
}

/** Before anything is known. */
export const NO_PROGRESS: ProgressSnapshot = {
  planned: 0,
  planComplete: false,
  plannedBytes: 0,
  done: 0,
  kept: 0,
  failed: 0,
  waiting: 0,
  bytes: 0,
  keptBytes: 0,
  active: [],
  notices: [],
}

/** The figures of a snapshot alone. */
type Figures = Omit<ProgressSnapshot, 'active' | 'notices'>

export interface ActiveFile {
  readonly path: string
  readonly bytes: number
  /** Undefined when the server did not say. */
  readonly size: number | undefined
}

/** Items that have ended, however they did, or wait. */
export function settledCount({ done, kept, failed, waiting }: Figures): number {
  return done + kept + failed + waiting
}

/** Bytes that this batch has to fetch in all, as far as sizes are known. */
export function bytesToFetch({ plannedBytes, keptBytes, bytes }: Figures): number {
  return Math.max(bytes, plannedBytes - keptBytes)
}

/** Part of the batch that is done, 0 to 1: by bytes, or by files when no sizes are known. */
export function fraction(snapshot: Figures): number {
  const bytes = bytesToFetch(snapshot)
  if (bytes > 0) return snapshot.bytes / bytes
  return snapshot.planned > 0 ? settledCount(snapshot) / snapshot.planned : 0
}

/** A rate over fewer seconds than this is too uncertain. */
const STEADY_MS = 5_000

/** Milliseconds left at this speed; undefined while that would be a guess, as during a hold, and when nothing is left. */
export function remainingMs(
  snapshot: Figures & Pick<ProgressSnapshot, 'notices'>,
  speed: Speed | undefined,
): number | undefined {
  const left = bytesToFetch(snapshot) - snapshot.bytes
  const isOnHold = snapshot.notices.some((notice) => typeof notice !== 'string')
  if (!snapshot.planComplete || isOnHold || left <= 0) return undefined
  if (speed === undefined || speed.overMs < STEADY_MS || speed.bytesPerSecond <= 0) return undefined
  return (left / speed.bytesPerSecond) * 1000
}
