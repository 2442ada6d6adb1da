import type { Result } from '../proof/verify/result.ts'
import { readWithin, type VerifyRun, type VerifySummary } from '../proof/verify/summary.ts'
import type { ProofView } from './api/schemas.ts'

const LATELY_DAYS = 30

/** What the summary of the verifications of a destination says: a small file, however much was verified. */
export function provedView(summary: VerifySummary | undefined, now: Date): ProofView['verified'] {
  if (!summary) return null
  const { last, lastFull, oldest, sizeOnly, open, openOf, findings } = summary
  return {
    last: last ? lastOf(last) : null,
    lastFull: lastFull?.endedAt ?? null,
    oldest: oldest ?? null,
    readLately: readWithin(summary, LATELY_DAYS, now),
    sizeOnly,
    open,
    openOf: openOf.map((one) => ({ ...one, ...ownerOf(one) })),
    findings: findings.map((one) => ({ ...one, ...ownerOf(one) })),
  }
}

function lastOf({ mode, endedAt, held, neverRead, rolling }: VerifyRun): NonNullable<ProofView['verified']>['last'] {
  const ends = rolling && new Date(Date.parse(rolling.since) + rolling.periodMs)
  return { mode, endedAt, held, neverRead, round: ends ? { ends: ends.toISOString(), left: rolling.left } : null }
}

function ownerOf({ batch, mirror }: Pick<Result, 'batch' | 'mirror'>) {
  return { batch: batch ?? null, mirror: mirror ?? null }
}
