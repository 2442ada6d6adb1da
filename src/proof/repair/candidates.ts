import type { KnownPath } from '../../batch/known-paths.ts'
import type { KnownBy, VerifyProgress } from '../../batch/verify-destination.ts'
import { joined } from '../../mirror/joined.ts'
import { lastReadAt, needsReading } from '../verify/last-read.ts'
import type { Result } from '../verify/result.ts'
import { keyed } from '../verify/results.ts'

export interface CandidateOptions {
  /** The newest result of every path, by path. */
  readonly results: AsyncIterable<Result>
  /** What was found right since then is not read again; undefined: everything is read. */
  readonly fresh: Date | undefined
  /** Whether a file may be repaired. */
  readonly isMeant: (file: Pick<KnownBy, 'batch' | 'mirror'>) => boolean
  /** Told of each file that is not read again. */
  readonly onFresh: () => void
}

/** Paths where a file that was received may be missing or changed, as only a look at it tells, or was never fetched. */
export async function* candidates(
  paths: AsyncIterable<KnownPath>,
  { results, fresh, isMeant, onFresh }: CandidateOptions,
  progress: VerifyProgress,
): AsyncGenerator<KnownPath> {
  progress.files = 0
  progress.bytes = 0
  for await (const { left, right } of joined(keyed(paths), keyed(results))) {
    const known = left?.value
    const by = known?.received ?? known?.unfetched
    if (!known || !by || !isMeant(by)) continue
    const result = right?.value
    const isFresh = fresh !== undefined && result?.state === 'ok' && lastReadAt(known, result) >= fresh.toISOString()
    if (isFresh && needsReading(known)) {
      onFresh()
      continue
    }
    if (known.listed !== undefined) {
      progress.files++
      progress.bytes += known.listed
    }
    yield known
  }
}
