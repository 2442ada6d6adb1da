/** Writes the report of a batch with many files, of as many datasets as a tenth of them, and says what that took. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EMPTY_PLAN, names, readPlanState, writeBatch, writePlanState } from '../../src/batch/folder.ts'
import { ItemsWriter } from '../../src/batch/items-file.ts'
import { writeReport } from '../../src/batch/report.ts'
import type { PlanState } from '../../src/model/batch.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { batchOf, done, failed, itemAt } from './fixtures.ts'

const [folder = '', task = '', count = '0'] = process.argv.slice(2)
const files = Number(count)
const { records, url } = diskSink(folder)
const batch = { ...batchOf('b1'), destination: url }

async function stage(): Promise<void> {
  await writeBatch(records, batch)
  const writer = await ItemsWriter.open(records, batch.id, { items: 0, bytes: 0 })
  const log = await records.appendTo(`${names.receipts(batch.id)}/w1.ndjson`)
  let lines: string[] = []
  const bytes = Buffer.from('x')
  for (let n = 0; n < files; n++) {
    const dataset = `doi:10.5072/FK2/${Math.floor(n / 10)}`
    const path = `doi-10.5072-FK2-${Math.floor(n / 10)}/folder/file-${n}.csv`
    writer.add(itemAt(path, { origin: { dataset, version: '1.0' } }))
    lines.push(JSON.stringify(n % 100 === 0 ? failed(n, 'SOURCE_DENIED', path) : done(n, path, bytes)))
    if (lines.length < 10_000 && n < files - 1) continue
    await writer.flush()
    await log.append(`${lines.join('\n')}\n`)
    lines = []
  }
  await writer.close()
  await log.close()
  const plan: PlanState = { ...EMPTY_PLAN, entries: files, ...writer.position, complete: true }
  await writePlanState(records, batch.id, plan)
}

if (task === 'stage') await stage()
else {
  await writeReport(records, batch, await readPlanState(records, batch.id))
  const { size } = await stat(join(folder, '.dataferry', names.page(batch.id)))
  process.stdout.write(JSON.stringify({ maxRss: process.resourceUsage().maxRSS, page: size }))
}
