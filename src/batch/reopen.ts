import type { Ledger } from '../ledger/ledger.ts'
import type { BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { removeHold } from './hold.ts'
import { OutcomeWriter } from './outcome-log.ts'
import { Outcomes } from './outcomes.ts'

const CHUNK = 1_000

/**
 * Reopens failures, so that those items are fed again: on record first, then in the ledger. Removes the report, which is no
 * longer true.
 * @param codes only failures with these codes; empty: all
 * @returns how many items were reopened
 */
export async function reopenFailed(
  ledger: Ledger,
  records: Records,
  batch: BatchId,
  codes: ReadonlySet<string>,
  writer: string,
): Promise<number> {
  const lines: number[] = []
  for await (const { n, code } of (await Outcomes.of(records, batch)).failures()) {
    if (codes.size === 0 || codes.has(code)) lines.push(n)
  }
  if (lines.length === 0) return 0
  await records.remove(names.report(batch))
  const log = new OutcomeWriter(records, batch, writer)
  let reopened = 0
  try {
    for (let i = 0; i < lines.length; i += CHUNK) {
      const some = lines.slice(i, i + CHUNK)
      const finishedAt = new Date().toISOString()
      await Promise.all(some.map((n) => log.record({ state: 'reopened', n, finishedAt })))
      reopened += await ledger.reopen(batch, some, 'failed')
    }
  } finally {
    await log.close()
  }
  await removeHold(records, batch)
  await ledger.setState(batch, 'open')
  return reopened
}
