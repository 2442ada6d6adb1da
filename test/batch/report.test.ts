import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { names } from '../../src/batch/folder.ts'
import { ItemsReader } from '../../src/batch/items-file.ts'
import { isReported, readReport, writeReport } from '../../src/batch/report.ts'
import { readManifest } from '../../src/manifest/read-manifest.ts'
import { ALGORITHMS } from '../../src/model/checksum.ts'
import type { Entry, Target } from '../../src/model/entry.ts'
import type { Ref } from '../../src/model/item.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, store } from '../contracts/sink-bytes.ts'
import { catalogueOf } from '../plan/catalogue.ts'
import { BATCH, planAll } from '../plan/planning.ts'
import { temporaryFolder } from '../sinks/temporary-folder.ts'
import { all, batchOf, done, failed, itemAt, plannedBatch, recorded, SERVER, waits } from './fixtures.ts'

const BYTES = bytesOf(100)

describe('the report', () => {
  it('adds up to the plan, and says what is missing', async () => {
    const { records } = memorySink()
    const paths = ['a', 'b', 'c', 'd', 'e'].map((path) => itemAt(path, path === 'b' ? { renamedFrom: 'B,"b"' } : {}))
    const { batch, plan } = await plannedBatch(records, paths)
    await recorded(records, [
      done(0, 'a', BYTES),
      done(1, 'b', BYTES, { state: 'kept' }),
      failed(2, 'SOURCE_DENIED', 'c'),
    ])
    const report = await writeReport(records, batch, plan)
    expect(report).toMatchObject({
      planned: 5,
      done: 1,
      kept: 1,
      failed: 1,
      missing: 2,
      complete: false,
      plannedBytes: 50,
    })
    expect(report).toMatchObject({ bytes: 100, keptBytes: 100, failures: { SOURCE_DENIED: 1 } })
    expect(await readReport(records, batch.id)).toEqual(report)
    expect(String(await records.read(names.renamed(batch.id)))).toContain('b,"B,""b"""')
    await recorded(records, [done(2, 'c', BYTES), done(3, 'd', BYTES), done(4, 'e', BYTES)], 'w2')
    const whole = await writeReport(records, batch, plan)
    expect(whole).toMatchObject({ done: 4, kept: 1, failed: 0, missing: 0, complete: true })
  })

  it('counts what waits, names it in a table that is a manifest, and does not end the batch', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, [itemAt('a'), itemAt('b')])
    await recorded(records, [done(0, 'a', BYTES), waits(1, 'b')])
    const report = await writeReport(records, batch, plan)
    expect(report).toMatchObject({ done: 1, failed: 0, waiting: 1, missing: 0, complete: false })
    expect(report.waitingFor).toEqual({ access: 1, embargo: 0 })
    expect(await isReported(records, batch.id)).toBe(false)
    expect(String(await records.read(names.waiting(batch.id)))).toMatch(
      /b,.*WAITING_ACCESS,Access to it was requested\./,
    )
    await recorded(records, [done(1, 'b', BYTES)], 'w2')
    expect(await writeReport(records, batch, plan)).toMatchObject({ waiting: 0, complete: true })
    expect(await isReported(records, batch.id)).toBe(true)
    expect(await records.read(names.waiting(batch.id))).toBeUndefined()
  })

  it('of a version that called bundles archives is read as well', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, [itemAt('a')])
    await records.write(`${batch.id}/archives-off/1.txt`, SERVER)
    const { bundlesOff, ...report } = await writeReport(records, batch, plan)
    expect(bundlesOff).toEqual([SERVER])
    await records.write(names.report(batch.id), JSON.stringify({ ...report, archivesOff: bundlesOff }))
    expect(await readReport(records, batch.id)).toEqual({ ...report, bundlesOff })
  })

  it.each(ALGORITHMS)('has %s sums that the usual tool checks', async (algorithm) => {
    await using folder = await temporaryFolder()
    const sink = diskSink(folder.path)
    const paths = ['plain.bin', 'with blanks/ü (2).csv', '-dash', "quote's.txt"]
    const { batch, plan } = await plannedBatch(
      sink.records,
      paths.map((path) => itemAt(path)),
    )
    const receipts = paths.map((path, n) => done(n, path, bytesOf(n), { checksum: checksumOf(bytesOf(n), algorithm) }))
    for (const [n, path] of paths.entries()) await store(sink, path, bytesOf(n))
    await recorded(sink.records, receipts)
    await writeReport(sink.records, batch, plan)
    const sums = join(folder.path, '.dataferry', names.sums(batch.id, algorithm))
    const check = promisify(execFile)(`${algorithm}sum`, ['--strict', '-c', sums], { cwd: folder.path })
    expect((await check).stdout.split('\n').filter((line) => line.endsWith(': OK'))).toHaveLength(paths.length)
    await sink.close()
  })

  it('has sums of every digest that receipts hold, and counts them', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, [itemAt('a'), itemAt('b')])
    const digests = [checksumOf(BYTES, 'sha256'), checksumOf(BYTES, 'sha512')]
    await recorded(records, [done(0, 'a', BYTES, { digests }), done(1, 'b', BYTES)])
    const report = await writeReport(records, batch, plan)
    expect(report.checksums).toEqual({ md5: 2, sha256: 1, sha512: 1 })
    expect(await readReport(records, batch.id)).toEqual(report)
    for (const { algorithm, hex } of digests) {
      expect(String(await records.read(names.sums(batch.id, algorithm)))).toBe(`${hex}  a\n`)
    }
    expect(await records.read(names.sums(batch.id, 'sha1'))).toBeUndefined()
  })
})

async function failuresAsManifest(records: Records, id: string): Promise<Entry[]> {
  const text = await records.read(names.failures(id))
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(text ?? new Uint8Array())
  }
  const lines = await all(readManifest(bytes(), { name: 'failures.csv', servers: ['https://other.invalid', SERVER] }))
  return lines.map((line) => {
    if ('error' in line) throw line.error
    return line.entry
  })
}

describe('failures.csv', () => {
  const DATASET = 'doi:10.5072/FK2/A'
  const refs: [Ref, Target][] = [
    [
      { kind: 'file', file: 42, format: 'original' },
      { kind: 'file', file: 42 },
    ],
    [
      { kind: 'file', file: `${DATASET}/B`, format: 'archival' },
      { kind: 'file', file: `${DATASET}/B` },
    ],
    [
      { kind: 'zip', files: [1, 2, 30], format: 'archival' },
      { kind: 'zip', files: [1, 2, 30] },
    ],
    [
      { kind: 'zip', files: [1], format: 'original' },
      { kind: 'zip', files: [1] },
    ],
    [
      { kind: 'all-forms', file: 7 },
      { kind: 'bundle', file: 7 },
    ],
    [
      { kind: 'all-forms', file: `${DATASET}/B` },
      { kind: 'bundle', file: `${DATASET}/B` },
    ],
    [
      { kind: 'dataset-zip', dataset: DATASET, version: '2.0', format: 'original' },
      { kind: 'dataset-zip', dataset: DATASET, version: '2.0' },
    ],
    [
      { kind: 'dataset-zip', dataset: DATASET, version: ':draft', format: 'archival' },
      { kind: 'dataset-zip', dataset: DATASET, version: ':draft' },
    ],
  ]

  it.each(refs)('asks again for %j', async (ref, target) => {
    const { records } = memorySink()
    const checksum = checksumOf(BYTES, 'sha1')
    const item = itemAt('odd, "path"/ü.bin', { ref, expect: { size: 100, checksum } })
    const { batch, plan } = await plannedBatch(records, [itemAt('fine'), item])
    await recorded(records, [done(0, 'fine', BYTES), failed(1, 'SOURCE_FAILED', item.path)])
    await writeReport(records, batch, plan)
    const format = ref.kind === 'all-forms' ? {} : { format: ref.format }
    expect(await failuresAsManifest(records, batch.id)).toEqual([
      { target, server: SERVER, path: 'odd, "path"/ü.bin', size: 100, checksum, ...format },
    ])
  })

  const entries: Entry[] = [
    { target: { kind: 'file', file: 5 } },
    { target: { kind: 'file', file: 5 }, path: 'mine/' },
    { target: { kind: 'file', file: `${DATASET}/B` }, path: 'mine/own.bin', size: 9 },
    { target: { kind: 'bundle', file: 5 } },
    { target: { kind: 'dataset', dataset: DATASET } },
    { target: { kind: 'dataset', dataset: 77, version: '3.1' }, path: 'some/where' },
    { target: { kind: 'pid', pid: DATASET } },
    { target: { kind: 'pid', pid: DATASET, version: ':draft' }, path: 'x' },
    { target: { kind: 'dataset-zip', dataset: DATASET, version: '1.0' } },
    { target: { kind: 'dataset-zip', dataset: DATASET }, path: 'all.zip' },
  ]

  it.each(entries)('asks in the words of the manifest for what could not be planned: %j', async (entry) => {
    // Every request is refused here, as no such dataset is known; self-contained rows make none.
    const planned = await planAll([entry], catalogueOf({}))
    const [item] = planned.items
    if (!item?.problem) return
    const { records } = planned
    await recorded(records, [failed(0, 'SOURCE_NOT_FOUND', item.path)])
    await writeReport(records, batchOf(BATCH), planned.state)
    const format = entry.target.kind === 'bundle' ? {} : { format: 'original' }
    expect(await failuresAsManifest(records, BATCH)).toEqual([{ ...entry, server: SERVER, ...format }])
  })
})

it('a plan with the older ref kind "bundle" is read as all forms of a table', async () => {
  const { records } = memorySink()
  await plannedBatch(records, [itemAt('t-bundle.zip')])
  const old = { n: 0, ...itemAt('t-bundle.zip'), ref: { kind: 'bundle', file: 7 } }
  await records.write(names.items('b1'), `${JSON.stringify(old)}\n`)
  expect(await new ItemsReader(records, 'b1').item(0)).toMatchObject({ ref: { kind: 'all-forms', file: 7 } })
})
