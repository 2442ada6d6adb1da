import { formatBytes, plural } from '../../model/format.ts'
import { roundOf } from '../../proof/verify/owed.ts'
import { readResults } from '../../proof/verify/results.ts'
import { RollingShare } from '../../proof/verify/rolling-share.ts'
import { readVerifySummary, type Amount, type VerifyRun } from '../../proof/verify/summary.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Keeping } from './keep.ts'

/** What a rolling run has come to. */
export type RollingOutcome = Pick<VerifyRun, 'held' | 'neverRead' | 'rolling'>

/** What this run is to read, by what is on record of earlier ones. */
export async function rollingShare(
  { records }: Sink,
  kept: Pick<Keeping, 'drop'>,
  periodMs: number,
  now: Date,
): Promise<RollingShare> {
  const last = (await readVerifySummary(records))?.lastRolling
  return new RollingShare({
    round: roundOf(last, periodMs, now),
    now,
    results: readResults(records),
    onGone: (path) => kept.drop(path),
  })
}

/** What was owed and read, and when everything will have been read. */
export function rollingText(read: Amount, { held, neverRead, rolling }: RollingOutcome): string {
  if (!rolling) return ''
  const { owed, since, periodMs, left, openLeft = 0 } = rolling
  const day = new Date(Date.parse(since) + periodMs).toISOString().slice(0, 10)
  const parts = [
    `Owed ${formatBytes(owed)} of ${formatBytes(held.bytes)}, read ${formatBytes(read.bytes)}.`,
    `${plural(left.files, 'file')} (${formatBytes(left.bytes)}) to go until ${day}.`,
    ...(neverRead.files > 0 ? [`${plural(neverRead.files, 'file')} not read again since they came.`] : []),
    ...(openLeft > 0
      ? [`${plural(openLeft, 'file')} found wrong earlier not looked at again: verify without --rolling looks at all.`]
      : []),
  ]
  return parts.join(' ')
}
