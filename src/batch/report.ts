import { DATAFERRY_VERSION } from '../dataverse/version.ts'
import type { Batch, BatchId, PlanState } from '../model/batch.ts'
import { ALGORITHMS, type Algorithm } from '../model/checksum.ts'
import { checksumsOf } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { serversWithoutBundles } from './bundles-off.ts'
import { names } from './folder.ts'
import { isUnreadable, parseRecord } from './record.ts'
import { askedSchema, listedSchema, reportSchema, type LastVerified, type Report } from './report-schema.ts'
import { allItems, ItemsReader } from './items-file.ts'
import { leftOutRows } from './left-out.ts'
import { Particulars, writeStatement } from './statement.ts'
import { codeOf, Outcomes } from './outcomes.ts'
import { canBeAsked, csvRow, WANTED_HEADER, wantedRow } from './wanted-rows.ts'

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

interface ReportOptions {
  /** When the batch ended; default: now. */
  readonly finishedAt?: string
  /** Whether the digests of its records are stated; default: unless files of it wait, as then there will be another report. */
  readonly isFinal?: boolean
  readonly lastVerified?: LastVerified | undefined
}

/**
 * Writes the proof of a batch from its receipts alone: checksum files for the usual tools, `failures.csv` (itself a
 * manifest), `waiting.csv`, `renamed.csv`, `datasets.csv`, and its statement, of which `report.json` comes last: it says that the
 * batch has ended unless files of it wait. Repeatable.
 */
export async function writeReport(
  records: Records,
  batch: Batch,
  plan: PlanState,
  { finishedAt = new Date().toISOString(), isFinal, lastVerified }: ReportOptions = {},
): Promise<Report> {
  const outcomes = new Outcomes(records, batch.id, plan.items)
  await using particulars = new Particulars(records, batch)
  const tally = await outcomes.tally(particulars.add)
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
  await particulars.writeDatasets()
  const leftOutPlanned = plan.leftOutFrom !== undefined
  const ended = tally.done + tally.kept + tally.failed + tally.waiting
  const report: Report = {
    v: 1,
    batch: batch.id,
    destination: batch.destination,
    manifest: batch.manifest.name,
    createdAt: batch.createdAt,
    finishedAt,
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
    software: DATAFERRY_VERSION,
    asked: askedSchema.parse(batch),
    listed: listedSchema.parse(plan.totals),
    published: Object.fromEntries(particulars.published),
    ...(lastVerified && { lastVerified }),
    datasetVersions: particulars.datasetCount,
  }
  return await writeStatement(records, batch, report, particulars, isFinal ?? report.waiting === 0)
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
