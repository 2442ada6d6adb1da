import { PUBLIC_SCOPE } from '../../jobs/scope.ts'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { listBatches } from '../../src/batch/folder.ts'
import { readOutcomes } from '../../src/batch/outcome-log.ts'
import { Outcomes } from '../../src/batch/outcomes.ts'
import { readReport } from '../../src/batch/report.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'
import type { Batch } from '../../src/model/batch.ts'
import type { Queues } from '../../src/queue/queues.ts'
import { openSink } from '../../src/sinks/open-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'

/** What the end of a run looks like from all sides. */
export interface Checked {
  readonly batches: number
  readonly planned: number
  readonly done: number
  readonly kept: number
  readonly failed: number
  readonly resumed: number
  /** Lines in the receipts beyond one for each item: work that was repeated after a kill and found done. */
  readonly repeatedLines: number
  /** Items that two workers fetched, since Redis had forgotten that the first one had it: the same bytes, published twice. */
  readonly broughtTwice: number
  /** What is in the folder of parts. */
  readonly leftovers: readonly string[]
  /** Sentences about everything that is not as it must be. */
  readonly problems: readonly string[]
}

/** Compares counters, receipts, report, queues and parts of every batch at a destination after all of them have ended. */
export async function check(destination: string, ledger: Ledger, queues: Queues, server: string): Promise<Checked> {
  const sink = await openSink(destination)
  const problems: string[] = []
  const sum = { planned: 0, done: 0, kept: 0, failed: 0, resumed: 0, repeatedLines: 0, broughtTwice: 0 }
  try {
    const batches = await listBatches(sink.records)
    for (const batch of batches) {
      const one = await checkBatch(batch, sink.records, ledger, problems)
      for (const name of NAMES) sum[name] += one[name]
    }
    const leftovers = await readdir(join(destination, '.dataferry', 'parts')).catch(() => [])
    if (leftovers.length > 0) problems.push(`${leftovers.length} leftovers in the parts folder`)
    await checkQueues(queues, server, problems)
    return { batches: batches.length, ...sum, leftovers, problems }
  } finally {
    await sink.close()
  }
}

const NAMES = ['planned', 'done', 'kept', 'failed', 'resumed', 'repeatedLines', 'broughtTwice'] as const
type Sums = Record<(typeof NAMES)[number], number>

async function checkBatch({ id }: Batch, records: Records, ledger: Ledger, problems: string[]): Promise<Sums> {
  const [report, summary, entry] = [await readReport(records, id), await ledger.summary(id), await ledger.get(id)]
  const { repeatedLines, broughtTwice, settled } = await countLines(records, id)
  if (!report) {
    problems.push(`${id} has no report`)
    return { ...summary, resumed: 0, repeatedLines, broughtTwice }
  }
  const { planned, done, kept, failed, resumed, missing, complete, bytes, keptBytes } = report
  const expect = (what: string, is: unknown, wanted: unknown): void => {
    if (is !== wanted) problems.push(`${id}: ${what} is ${String(is)} and not ${String(wanted)}`)
  }
  expect('the state', entry?.state, 'finished')
  expect('complete', complete, true)
  expect('missing', missing, 0)
  expect('failed', failed, 0)
  for await (const { n, code, message } of new Outcomes(records, id, planned).failures()) {
    problems.push(`${id}-${n} failed with ${code}: ${message}`)
  }
  expect('done + kept + failed', done + kept + failed, planned)
  expect('items with an outcome', settled, planned)
  const told = { planned, done, kept, failed, bytes, keptBytes }
  for (const name of ['planned', 'done', 'kept', 'failed', 'bytes', 'keptBytes'] as const) {
    expect(`${name} in the ledger`, summary[name], told[name])
  }
  expect('the first open line', await ledger.firstOpen(id), planned)
  return { planned, done, kept, failed, resumed, repeatedLines, broughtTwice }
}

async function countLines(
  records: Records,
  id: string,
): Promise<Pick<Sums, 'repeatedLines' | 'broughtTwice'> & { settled: number }> {
  const lines = new Map<number, { all: number; done: number }>()
  for await (const { n, state } of readOutcomes(records, id)) {
    const seen = lines.get(n) ?? { all: 0, done: 0 }
    lines.set(n, { all: seen.all + 1, done: seen.done + (state === 'done' ? 1 : 0) })
  }
  const counts = [...lines.values()]
  const repeatedLines = counts.reduce((sum, { all }) => sum + all - 1, 0)
  return { repeatedLines, broughtTwice: counts.filter(({ done }) => done > 1).length, settled: lines.size }
}

async function checkQueues(queues: Queues, server: string, problems: string[]): Promise<void> {
  for (const queue of queues.in(PUBLIC_SCOPE).of([server])) {
    for (const [state, count] of Object.entries(await queue.getJobCounts())) {
      if (count > 0) problems.push(`${count} ${state} jobs are left in the queue ${queue.name}`)
    }
  }
}
