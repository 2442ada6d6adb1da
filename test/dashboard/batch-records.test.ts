import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { names } from '../../src/batch/folder.ts'
import { writeReport } from '../../src/batch/report.ts'
import { BatchRecords } from '../../src/dashboard/batch-records.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { all, batchOf, failed, itemAt, plannedBatch, recorded, SERVER } from '../batch/fixtures.ts'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'df-batch-records-'))))
afterAll(() => rm(folder, { recursive: true }))

it('failures.csv is sent a piece at a time, and is that of now: a retry makes the old one untrue', async () => {
  const { records } = diskSink(folder)
  const { batch, plan } = await plannedBatch(records, [itemAt('a'), itemAt('b')], batchOf())
  await recorded(records, [failed(0, 'SOURCE_DENIED', 'a'), failed(1, 'SOURCE_DENIED', 'b')])
  await writeReport(records, batch, plan)
  const long = `server,kind\r\n${'x'.repeat(3 << 20)}\r\n`
  await records.write(names.failures('b1'), long)

  const ledger = new MemoryLedger()
  const createdAt = new Date().toISOString()
  await ledger.open({ id: 'b1', destination: 'file:///d', servers: [SERVER], createdAt })
  await ledger.setPlanned('b1', 2, 20, true)
  const error = { code: 'CHECKSUM_MISMATCH', message: 'again', path: 'b' }
  await ledger.settle('b1', 1, { state: 'failed', bytes: 0, error })
  const entry = await ledger.get('b1')
  if (!entry) throw new Error('the ledger has it')
  const found = new BatchRecords(() => Promise.resolve(diskSink(folder)), ledger)

  const pieces = await all(found.failureRows(entry))
  expect(Buffer.concat(pieces).toString()).toBe(long)
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(64 << 10)

  await records.remove(names.report('b1'))
  const lines = Buffer.concat(await all(found.failureRows(entry)))
    .toString()
    .trim()
    .split('\r\n')
  expect(lines).toHaveLength(2)
  expect(lines[1]).toMatch(/CHECKSUM_MISMATCH,again$/)
})
