import { verifyDestination, type HashPath } from '../../../src/batch/verify-destination.ts'
import { ResultsKeeper } from '../../../src/proof/verify/keep-results.ts'
import { roundOf } from '../../../src/proof/verify/owed.ts'
import { readResults } from '../../../src/proof/verify/results.ts'
import { RollingShare } from '../../../src/proof/verify/rolling-share.ts'
import { DAY_MS } from '../../../src/model/calendar.ts'
import { readVerifySummary, type VerifyRun } from '../../../src/proof/verify/summary.ts'
import { memorySink } from '../../../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../../../src/sinks/sink.ts'
import { batchOf, done, hashIn, itemAt, plannedBatch, recorded } from '../../batch/fixtures.ts'
import { bytesOf, never, store } from '../../contracts/sink-bytes.ts'

export const PERIOD = 30 * DAY_MS
const START = Date.UTC(2026, 0, 10)
/** A day of the simulated time. */
export const at = (day: number): Date => new Date(START + day * DAY_MS)

/** A batch that has brought files of these sizes, before the first day. */
export async function holding(sizes: Readonly<Record<string, number>>): Promise<Sink> {
  const sink = memorySink()
  await added(sink, 'b1', -100, sizes)
  return sink
}

export async function added(
  sink: Sink,
  batch: string,
  day: number,
  sizes: Readonly<Record<string, number>>,
): Promise<void> {
  const files = Object.entries(sizes).map(([path, size]) => ({ path, bytes: bytesOf(size) }))
  await plannedBatch(
    sink.records,
    files.map(({ path }) => itemAt(path)),
    batchOf(batch),
  )
  const receipts = files.map(({ path, bytes }, n) => done(n, path, bytes, { finishedAt: at(day).toISOString() }))
  await recorded(sink.records, receipts, 'w', batch)
  for (const { path, bytes } of files) await store(sink, path, bytes)
}

interface Rolled {
  /** Paths, in the order in which they were read. */
  readonly read: string[]
  readonly states: Record<string, string>
  readonly outcome: VerifyRun['rolling']
}

/** A run on a day; cut short after so many findings. */
export async function roll(sink: Sink, day: number, cutAfter = Infinity): Promise<Rolled> {
  const now = at(day)
  const keeper = await ResultsKeeper.open(sink.records, { now: () => now, by: '1.0.0' })
  const read: string[] = []
  const states: Record<string, string> = {}
  const last = (await readVerifySummary(sink.records))?.lastRolling
  await using share = new RollingShare({
    round: roundOf(last, PERIOD, now),
    now,
    results: readResults(sink.records),
    onGone: (path) => keeper.drop(path),
  })
  const hash: HashPath = async (path, ...asked) => {
    read.push(path)
    return hashIn(sink)(path, ...asked)
  }
  const choose: typeof share.choose = (paths, progress) => share.choose(paths, progress)
  let found = 0
  for await (const finding of verifyDestination(sink, { hash, signal: never, choose })) {
    await keeper.add(finding)
    states[finding.path] = finding.state
    if (++found >= cutAfter) {
      await keeper.close()
      return { read, states, outcome: undefined }
    }
  }
  const { rolling, held, neverRead } = share.outcome(now)
  const [startedAt, endedAt] = [now.toISOString(), now.toISOString()]
  const run = {
    mode: 'rolling',
    startedAt,
    endedAt,
    by: '1.0.0',
    read: held,
    held,
    neverRead,
    found: {},
    rolling,
  } as const
  await keeper.end(run)
  return { read, states, outcome: rolling }
}

/** So many files of one size. */
export const sizes = (count: number, size = 100): Record<string, number> =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${String(n).padStart(3, '0')}`, size]))
