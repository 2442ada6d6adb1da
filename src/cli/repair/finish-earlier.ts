import { z } from 'zod'
import { ExternalSort } from '../../batch/external-sort.ts'
import { allItems } from '../../batch/items-file.ts'
import { LineSet } from '../../batch/line-set.ts'
import { Outcomes } from '../../batch/outcomes.ts'
import { readPlanState } from '../../batch/folder.ts'
import { isUnreadable } from '../../batch/record.ts'
import { verifyDestination, type Finding } from '../../batch/verify-destination.ts'
import { anySignal } from '../../async/any-signal.ts'
import { joined } from '../../mirror/joined.ts'
import type { BatchId } from '../../model/batch.ts'
import { checksumSchema, sameChecksum } from '../../model/checksum.ts'
import { readPendingRepair, writePendingRepair } from '../../proof/repair/records.ts'
import { WrongFiles } from '../../proof/repair/wrong-files.ts'
import { onRecord } from '../../proof/verify/on-record.ts'
import { keyed } from '../../proof/verify/results.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'
import { FILES_AT_ONCE, FilesRead } from '../verify/files-read.ts'
import { dropBatch, fromServer } from './from-server.ts'
import { holdMirrors } from './hold-mirrors.ts'

const lineSchema = z.object({ path: z.string(), checksum: checksumSchema.optional() })
type Line = z.infer<typeof lineSchema>

/**
 * Brings the batch of a repair that was cut short to its end, before anything is looked at anew. Where other bytes have become
 * the right ones at any of its paths meanwhile, or nothing is on record of it any more, the batch is dropped instead.
 */
export async function finishEarlier(context: Context, sink: Sink): Promise<'ended' | 'parked'> {
  const { records } = sink
  const pending = await readPendingRepair(records)
  if (pending?.batch === undefined) return 'ended'
  const begun = { v: 1, run: pending.run } as const
  await using wrong = new WrongFiles()
  if (!(await isStillRight(context, sink, pending.batch, wrong))) {
    await dropBatch(records, pending.batch)
    await writePendingRepair(records, begun)
    return 'ended'
  }
  await using held = await holdMirrors(context, sink, wrong)
  const signal = anySignal(context.signal, held.lost)
  await using fetched = await fromServer({ ...context, signal }, sink, pending)
  if (fetched.end === 'parked') return 'parked'
  await fetched.drop()
  await writePendingRepair(records, begun)
  return 'ended'
}

/** Whether everything that a batch has still to fetch is what the records want at its paths. @param wrong gets what is not there */
async function isStillRight({ signal }: Context, sink: Sink, batch: BatchId, wrong: WrongFiles): Promise<boolean> {
  await using lines = new ExternalSort<Line>(lineSchema)
  try {
    await openLines(sink, batch, lines)
  } catch (error) {
    if (isUnreadable(error)) return false
    throw error
  }
  const { hash } = new FilesRead(sink, signal)
  const findings = verifyDestination(sink, {
    hash,
    signal,
    concurrency: FILES_AT_ONCE,
    async *choose(paths) {
      for await (const { left, right } of joined(keyed(paths), keyed(lines.values()))) {
        if (left?.value.received && right) yield left.value
      }
    },
    ...onRecord(sink, signal),
  })
  for await (const { left, right } of joined(keyed(ofFiles(findings)), keyed(lines.values()))) {
    if (!right) continue
    const finding = left?.value
    if (finding === undefined || !wants(finding, right.value)) return false
    if (finding.state === 'missing' || finding.state === 'changed') await wrong.add(finding)
  }
  return true
}

/** Lines of the plan of a batch that have no receipt. */
async function openLines({ records }: Sink, batch: BatchId, lines: ExternalSort<Line>): Promise<void> {
  const settled = new LineSet()
  for await (const { n } of (await Outcomes.of(records, batch)).receipts()) settled.add(n)
  const { items } = await readPlanState(records, batch)
  for await (const { n, path, expect } of allItems(records, batch, items)) {
    if (settled.has(n)) continue
    await lines.add(path, { path, ...(expect.checksum && { checksum: expect.checksum }) })
  }
}

async function* ofFiles(findings: AsyncIterable<Finding>): AsyncGenerator<Finding> {
  for await (const finding of findings) if (finding.state !== 'unreadable') yield finding
}

/** Whether the bytes that a line would bring are those that are right there. */
function wants(finding: Finding, { checksum }: Line): boolean {
  const right = 'expected' in finding ? finding.expected.checksum : 'checksum' in finding ? finding.checksum : undefined
  return right === undefined || checksum === undefined ? right === checksum : sameChecksum(right, checksum)
}
