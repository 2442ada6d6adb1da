import { removeFolder } from '../batch/folder.ts'
import { recordText } from '../batch/record.ts'
import type { Records } from '../sinks/sink.ts'
import { changesTable, type Change } from './changes.ts'
import { LineWriter } from './line-writer.ts'
import { names, type MirrorOrder } from './order.ts'
import { RUN_REPORT, type RunReport } from './report.ts'
import { writeRunStatement } from './statement.ts'
import type { MirroredDataset } from './state.ts'

/** What is to be read of a run that has ended. */
export interface RunContent {
  readonly datasets: AsyncIterable<MirroredDataset>
  readonly changes: AsyncIterable<Change>
  /** Asked for when all datasets have been read. */
  readonly report: () => RunReport
}

/** Writes the folder of a run. It is made elsewhere, so that none is seen of a run that is killed meanwhile. Repeatable. */
export async function writeRun(
  records: Records,
  order: MirrorOrder,
  run: string,
  { datasets, changes, report }: RunContent,
): Promise<RunReport> {
  const draft = names.pending(order.name, 'report')
  const log = new LineWriter(await records.appendTo(`${draft}/datasets.ndjson`, 0))
  try {
    for await (const dataset of datasets) await log.add(dataset)
    await log.flush()
  } finally {
    await log.close()
  }
  await records.write(`${draft}/changes.csv`, changesTable(changes))
  const ended = report()
  await records.write(`${draft}/${RUN_REPORT}`, recordText(ended))
  await writeRunStatement(records, draft, order, ended)
  const folder = names.runFolder(order.name, run)
  // A store moves file by file: what an earlier try left may be longer than what comes now.
  await removeFolder(records, folder, `${folder}/${RUN_REPORT}`)
  await records.moveFolder(draft, folder, RUN_REPORT)
  return ended
}
