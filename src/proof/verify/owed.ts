import { DAY_MS } from '../../model/calendar.ts'
import type { VerifyRun } from './summary.ts'

/** What is to be told to find out what a rolling run owes; amounts in bytes, each file at least one. */
export interface Owing {
  readonly total: number
  /** Of these, what was not read since the round began. */
  readonly unread: number
  /** What was read since the last rolling run has ended, by a run that was cut short or by a whole verification. */
  readonly since: number
}

/** A round: the time in which everything is read once. */
export interface Round {
  readonly periodMs: number
  /** When it began. */
  readonly since: Date
  /** The last rolling run, or when it should have been. */
  readonly lastStart: Date
  readonly lastEnd: Date
}

/** Before the first run: as if one had been due a day ago, so that it owes the share of a day. */
export function roundOf(last: VerifyRun | undefined, periodMs: number, now: Date): Round {
  if (last?.rolling) {
    const { rolling, startedAt, endedAt } = last
    return { periodMs, since: new Date(rolling.since), lastStart: new Date(startedAt), lastEnd: new Date(endedAt) }
  }
  const before = new Date(now.getTime() - Math.min(DAY_MS, periodMs))
  return { periodMs, since: before, lastStart: before, lastEnd: before }
}

/**
 * Bytes that a rolling run owes: everything × time since the last rolling run ÷ the period. More, where the round would not end in
 * time: files have come meanwhile, and go first. What was read since the last run is paid already.
 */
export function owedBytes(
  { periodMs, since, lastStart }: Round,
  { total, unread, since: paid }: Owing,
  now: Date,
): number {
  const elapsed = Math.max(0, now.getTime() - lastStart.getTime())
  const left = Math.max(elapsed, since.getTime() + periodMs - lastStart.getTime())
  const shares = [(total * elapsed) / periodMs, left === 0 ? 0 : ((unread + paid) * elapsed) / left]
  return Math.max(0, Math.min(total, Math.floor(Math.max(...shares) - paid)))
}
