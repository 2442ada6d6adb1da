import { z } from 'zod'
import type { Batch, BatchId, PlanState } from '../model/batch.ts'
import { ALGORITHMS, digestsSchema, type Algorithm } from '../model/checksum.ts'
import { checksumsOf, VERIFIED } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { serversWithoutBundles } from './bundles-off.ts'
import { names } from './folder.ts'
import { isUnreadable, parseRecord, recordText } from './record.ts'
import { allItems, ItemsReader } from './items-file.ts'
import { leftOutRows } from './left-out.ts'
import { codeOf, Outcomes } from './outcomes.ts'
import { canBeAsked, csvRow, WANTED_HEADER, wantedRow } from './wanted-rows.ts'

const count = z.number().int().nonnegative()
const fieldsSchema = z.object({
  v: z.literal(1),
  batch: z.string(),
  destination: z.string(),
  /** As the user named it. */
  manifest: z.string(),
  createdAt: z.string(),
  finishedAt: z.string(),
  planned: count,
  plannedBytes: count,
  /** Items of the plan without any outcome. Never hidden: a batch is whole only at 0. */
  missing: count,
  renamed: count,
  duplicates: count,
  /** Files that the manifest names and the filters left out. */
  filtered: count.default(0),
  /** Every planned item is there, and nothing that was left out of an archive is still to be fetched. */
  complete: z.boolean(),
  done: count,
  kept: count,
  failed: count,
  /** Files that can perhaps be fetched later: with any, the batch has not ended. Named in `waiting.csv`. */
  waiting: count.default(0),
  waitingFor: z.object({ access: count, embargo: count }).default({ access: 0, embargo: 0 }),
  bytes: count,
  keptBytes: count,
  resumed: count,
  /** Files that archives lack; named in `left-out.csv`. */
  leftOut: count.default(0),
  /** They were added to the plan, and are counted there. */
  leftOutPlanned: z.boolean().default(false),
  /** Servers that got no more requests for bundles, since those kept failing. */
  bundlesOff: z.array(z.string()).optional(),
  /** The same in reports of older versions. */
  archivesOff: z.array(z.string()).optional(),
  verified: z.record(z.enum(VERIFIED), count),
  /** The digests that were asked for. */
  digests: digestsSchema.default([]),
  /** Of how many items the receipts hold a checksum in each algorithm. */
  checksums: z.partialRecord(z.enum(ALGORITHMS), count).default({}),
  /** How many failed with each code. */
  failures: z.record(z.string(), count),
})
const reportSchema = fieldsSchema.transform(({ archivesOff = [], bundlesOff = archivesOff, ...report }) => ({
  ...report,
  bundlesOff,
}))
/** `report.json`. */
export type Report = Readonly<z.infer<typeof reportSchema>>

/** @returns undefined when the batch has no report yet, or an unreadable one: it is made again from the receipts */
export async function readReport(records: Records, id: BatchId): Promise<Report | undefined> {
  const bytes = await records.read(names.report(id))
  try {
    return bytes && parseRecord(reportSchema, bytes, names.report(id))
  } catch (error) {
    if (isUnreadable(error)) return undefined
    throw error
  }
}

/** Whether a batch has its last report: nothing of it waits. */
export async function isReported(records: Records, id: BatchId): Promise<boolean> {
  return (await readReport(records, id))?.waiting === 0
}

/**
 * Writes the proof of a batch from its receipts alone: checksum files for the usual tools, `failures.csv` (itself a
 * manifest), `waiting.csv`, `renamed.csv`, and last `report.json`, which says that the batch has ended unless files of it wait.
 * Repeatable.
 */
export async function writeReport(records: Records, batch: Batch, plan: PlanState): Promise<Report> {
  const outcomes = new Outcomes(records, batch.id, plan.items)
  const tally = await outcomes.tally()
  for (const algorithm of ALGORITHMS) {
    if (tally.checksums[algorithm])
      await records.write(names.sums(batch.id, algorithm), checksumLines(outcomes, algorithm))
  }
  const reader = new ItemsReader(records, batch.id)
  await records.write(names.failures(batch.id), failureRows(outcomes, reader))
  if (tally.waiting > 0) await records.write(names.waiting(batch.id), waitingRows(outcomes, reader))
  else await records.remove(names.waiting(batch.id))
  if (plan.totals.renamed > 0) await records.write(names.renamed(batch.id), renamedRows(records, batch.id, plan.items))
  if (tally.leftOut > 0) await records.write(names.leftOut(batch.id), leftOutRows(records, batch.id, plan.items))
  const leftOutPlanned = plan.leftOutFrom !== undefined
  const ended = tally.done + tally.kept + tally.failed + tally.waiting
  const report: Report = {
    v: 1,
    batch: batch.id,
    destination: batch.destination,
    manifest: batch.manifest.name,
    createdAt: batch.createdAt,
    finishedAt: new Date().toISOString(),
    planned: plan.items,
    plannedBytes: plan.totals.size,
    missing: plan.items - ended,
    renamed: plan.totals.renamed,
    duplicates: plan.totals.duplicates,
    filtered: plan.totals.filtered,
    complete: plan.complete && tally.done + tally.kept === plan.items && (tally.leftOut === 0 || leftOutPlanned),
    leftOutPlanned,
    digests: batch.digests ?? [],
    bundlesOff: await serversWithoutBundles(records, batch.id),
    ...tally,
  }
  await records.write(names.report(batch.id), recordText(report))
  return report
}

/** Lines as `md5sum -c` and its sisters read them, with paths relative to the destination. */
async function* checksumLines(outcomes: Outcomes, algorithm: Algorithm): AsyncGenerator<Uint8Array> {
  for await (const receipt of outcomes.receipts()) {
    const found = checksumsOf(receipt).find((checksum) => checksum.algorithm === algorithm)
    if (found) yield Buffer.from(`${found.hex}  ${receipt.path}\n`)
  }
}

async function* failureRows(outcomes: Outcomes, items: ItemsReader): AsyncGenerator<Uint8Array> {
  yield WANTED_HEADER
  for await (const { n, code, message } of outcomes.failures()) {
    const item = await items.item(n)
    if (canBeAsked(item)) yield wantedRow(item, code, message)
  }
}

/** As failures: a manifest that fetches these files. */
async function* waitingRows(outcomes: Outcomes, items: ItemsReader): AsyncGenerator<Uint8Array> {
  yield WANTED_HEADER
  for await (const line of outcomes.waiting()) yield wantedRow(await items.item(line.n), codeOf(line), line.message)
}

async function* renamedRows(records: Records, batch: string, count: number): AsyncGenerator<Uint8Array> {
  yield csvRow(['path', 'name on the server'])
  for await (const { path, renamedFrom } of allItems(records, batch, count)) {
    if (renamedFrom !== undefined) yield csvRow([path, renamedFrom])
  }
}
