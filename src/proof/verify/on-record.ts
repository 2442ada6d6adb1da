import type { VerifyOptions } from '../../batch/verify-destination.ts'
import { mirrorReceipts } from '../../mirror/proof.ts'
import type { Sink } from '../../sinks/sink.ts'
import { objectReceipts } from '../ocfl/object-receipts.ts'
import { readResults } from './results.ts'
import { provenBy } from './sums.ts'

/** What is on record at a destination besides the receipts of batches. */
export function onRecord(sink: Sink, signal: AbortSignal): Pick<VerifyOptions, 'proven' | 'also'> {
  return { proven: provenBy(readResults(sink.records)), also: ofMirrors(sink, signal) }
}

/** What mirrors say of a file counts more than what its object says: it names its size, and what the server published. */
async function* ofMirrors(sink: Sink, signal: AbortSignal): ReturnType<typeof mirrorReceipts> {
  yield* objectReceipts(sink, signal)
  yield* mirrorReceipts(sink.records)
}
