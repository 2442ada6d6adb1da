import { EMPTY_PLAN, names, readPlanState, writePlanState } from '../batch/folder.ts'
import { allItems } from '../batch/items-file.ts'
import { lineNumber, scanItems } from '../batch/items-scan.ts'
import { readOutcomes } from '../batch/outcome-log.ts'
import { isUnreadable, unreadable } from '../batch/record.ts'
import type { Batch, BatchId, PlanState } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { entriesOf } from './intake.ts'
import { checkManifest, isKept, manifestBytes } from './manifest-copy.ts'
import { countItem } from './plan-lines.ts'

/**
 * How far the plan of a batch is, for the one command that continues it. Where `plan.json` is lost, or counts lines that
 * are not there, it is rebuilt from the lines, and planning continues at the manifest entry of the last one.
 * If lines of a complete plan are lost for good, they fail and the others continue.
 * Rejects with `RECORD_UNREADABLE` when there are outcomes for lines that nothing describes any more.
 */
export async function openPlan(records: Records, batch: Batch): Promise<PlanState> {
  const known = await readPlanState(records, batch.id).catch((error: unknown) => {
    if (isUnreadable(error)) return undefined
    throw error
  })
  if (!known?.complete) await checkManifest(records, batch)
  if (known && known !== EMPTY_PLAN && (await hasLines(records, batch.id, known))) return known
  const mostEnded = await lastOutcome(records, batch.id)
  if (known === EMPTY_PLAN && mostEnded === undefined) return known
  const { items, bytes, more, allBytes } = await scanItems(records, batch.id)
  const ended = mostEnded === undefined ? 0 : mostEnded + 1
  if (ended <= items + more && (await isKept(records, batch))) {
    const state = await fromLines(
      records,
      batch,
      ended <= items ? { items, bytes } : { items: items + more, bytes: allBytes },
    )
    await writePlanState(records, batch.id, state)
    return state
  }
  if (known?.complete) return known
  const what = `.dataferry/${names.plan(batch.id)} and the lines it counts are damaged`
  throw unreadable(`${what}: line ${ended} has ended, but only ${items} lines are left.`)
}

/** Bytes at the end that are looked at first: the last line is hardly ever longer. */
const TAIL = 64 << 10

/** Whether the lines that a plan counts are there: judged by the last one, or by all if it cannot be read. */
async function hasLines(records: Records, batch: BatchId, { items, bytes }: PlanState): Promise<boolean> {
  if (items === 0) return bytes === 0
  const tail = await records.readLog(names.items(batch), Math.max(0, bytes - TAIL), bytes)
  const [last, end] = Buffer.from(tail).toString('utf8').split('\n').slice(-2)
  if (tail.length === Math.min(TAIL, bytes) && end === '' && lineNumber(last ?? '') === items - 1) return true
  const scanned = await scanItems(records, batch, bytes)
  return scanned.allBytes === bytes && scanned.items + scanned.more === items
}

async function lastOutcome(records: Records, batch: BatchId): Promise<number | undefined> {
  let last: number | undefined
  for await (const { n } of readOutcomes(records, batch)) last = Math.max(n, last ?? 0)
  return last
}

/** The state of a plan of which only the lines are known. Duplicates are counted from here on. */
async function fromLines(
  records: Records,
  batch: Batch,
  { items, bytes }: Pick<PlanState, 'items' | 'bytes'>,
): Promise<PlanState> {
  const totals = { ...EMPTY_PLAN.totals }
  let line = 0
  for await (const item of allItems(records, batch.id, items)) {
    countItem(totals, item)
    line = Math.max(line, item.line ?? 0)
  }
  const entries = await entriesBefore(records, batch, line)
  // Each of several manifests has a line with this number.
  const again = batch.manifest.parts ? 0 : line
  return { entries, items, bytes, complete: false, totals, again }
}

/** Entries of the manifest that are certainly planned when one of this line is. */
async function entriesBefore(records: Records, { id, manifest, servers }: Batch, line: number): Promise<number> {
  let entries = 0
  for await (const entry of entriesOf(manifestBytes(records, id), manifest, servers)) {
    if (entry.line >= line) break
    entries++
  }
  return entries
}
