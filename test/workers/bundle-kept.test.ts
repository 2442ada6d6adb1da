import { afterEach, describe, expect, test } from 'vitest'
import { bufferAccess, streamOf } from '../../src/archive/random-access.ts'
import { checkStream } from '../../src/archive/check-stream.ts'
import type { Entry, Target } from '../../src/model/entry.ts'
import type { DatasetSpec, FileSpec } from '../fakes/dataverse/specs.ts'
import { startDataverse, type StandIn, type StandInOptions } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import { recordText, wholeRun, type Ran, type Wanted } from './whole-run.ts'

const PID = 'doi:10.5072/FK2/KEPT'
const NAME = 'doi-10.5072-FK2-KEPT_1.0.zip'
const WHOLE: Target = { kind: 'dataset-zip', dataset: PID, version: '1.0' }

let server: StandIn | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

const FILES: readonly FileSpec[] = [
  ...Array.from({ length: 12 }, (_, i) => ({
    id: 200 + i,
    label: `f${i}.bin`,
    directory: i % 2 === 0 ? 'even' : '',
    content: { size: 3_000 + i, seed: i + 1 },
  })),
  { id: 300, label: 'MANIFEST.TXT', content: 'the dataset has a file of this name' },
  { id: 301, label: 'ünïcode ☃.txt', directory: 'ordner/ä', content: 'snow' },
  {
    id: 302,
    label: 'table.tab',
    tabular: { original: 'a,b\n1,2\n', header: ['a', 'b'], tab: '1\t2\n', originalName: 'table.csv' },
  },
]
const SECRET: FileSpec = { id: 310, label: 'secret.bin', directory: 'even', content: 'secret', restricted: true }
const LATER: FileSpec = { id: 311, label: 'later.bin', content: 'later', embargo: { dateAvailable: '2999-01-01' } }
const GONE: FileSpec = { id: 312, label: 'gone.bin', content: 'gone', retention: { dateUnavailable: '2001-01-01' } }

async function start(spec: DatasetSpec, options: Omit<StandInOptions, 'world'> = {}): Promise<StandIn> {
  const world = new World()
  world.dataset(PID, spec)
  server = await startDataverse({ world, ...options })
  return server
}

function run(standIn: StandIn, target: Target, more: Partial<Wanted> = {}, entry: Partial<Entry> = {}): Promise<Ran> {
  return wholeRun({ server: standIn, entries: [{ target, ...entry }], ...more })
}

async function entriesAt({ store }: Ran, path: string): Promise<string[]> {
  const bytes = store.files.get(path)?.bytes
  if (!bytes) throw new Error(`nothing at ${path}`)
  return (await checkStream(streamOf(bufferAccess(bytes)))).entries.map(({ name }) => name)
}

describe.each(['6.9', '6.11'] as const)('A ZIP that was asked for, from Dataverse %s', (profile) => {
  test('is kept as it is when it holds everything, and every entry is verified', async () => {
    const ran = await run(await start({ files: FILES }, { profile }), WHOLE)
    expect(ran.report).toMatchObject({ planned: 1, done: 1, leftOut: 0, complete: true, verified: { structure: 1 } })
    expect(ran.receipts.get(NAME)?.note).toBe('15 of 15 requested files are in it: 15 by checksum')
    expect(await entriesAt(ran, NAME)).toContain('ordner/ä/ünïcode ☃.txt')
  })

  test('is on record with every file that the server left out, and why, and the batch is not complete', async () => {
    const standIn = await start({ files: [...FILES, SECRET, LATER, GONE] }, { profile })
    const ran = await run(standIn, WHOLE)
    expect(ran.report).toMatchObject({ done: 1, failed: 0, leftOut: 3, leftOutPlanned: false, complete: false })
    expect(ran.receipts.get(NAME)?.leftOut).toEqual([
      { id: 312, path: 'gone.bin', reason: 'retention-expired' },
      { id: 311, path: 'later.bin', reason: 'embargoed' },
      { id: 310, path: 'even/secret.bin', reason: 'restricted' },
    ])
    const rows = (await recordText(ran.store, 'left-out.csv')).split('\r\n')
    expect(rows[0]).toBe('server,kind,id,path,format,archive,name on the server,reason,certain')
    expect(rows[3]).toContain(`file,310,doi-10.5072-FK2-KEPT_1.0/even/,original,${NAME},even/secret.bin,restricted,yes`)
  })

  test('names what the limit of the server left out', async () => {
    const ran = await run(await start({ files: FILES }, { profile, zipLimit: 10_000 }), WHOLE)
    const leftOut = ran.receipts.get(NAME)?.leftOut ?? []
    expect(leftOut.length).toBeGreaterThan(8)
    expect(new Set(leftOut.map(({ reason }) => reason))).toEqual(new Set(['limit']))
    expect(ran.report.complete).toBe(false)
  })

  test('is kept with only a manifest in it when one file is above the limit, and says that nothing came', async () => {
    const standIn = await start(
      { files: [{ id: 5, label: 'big.bin', content: { size: 9_000, seed: 1 } }] },
      { profile, zipLimit: 1_000 },
    )
    const ran = await run(standIn, WHOLE, { batch: { complete: true } })
    expect(ran.report).toMatchObject({ planned: 2, done: 2, leftOut: 1, leftOutPlanned: true, complete: true })
    expect(ran.store.files.get('doi-10.5072-FK2-KEPT_1.0/big.bin')?.bytes.length).toBe(9_000)
  })

  test('with --complete is followed by what it lacks, singly beside it', async () => {
    const standIn = await start({ files: [...FILES, SECRET] }, { profile, zipLimit: 10_000 })
    const ran = await run(standIn, WHOLE, { batch: { complete: true } })
    const leftOut = ran.receipts.get(NAME)?.leftOut?.length ?? 0
    expect(ran.report).toMatchObject({ planned: 1 + leftOut, done: leftOut, failed: 1, missing: 0, complete: false })
    expect(ran.failures.get('doi-10.5072-FK2-KEPT_1.0/even/secret.bin')?.code).toBe('SOURCE_DENIED')
    const unpacked = (await entriesAt(ran, NAME)).map((name) => `doi-10.5072-FK2-KEPT_1.0/${name}`)
    const there = new Set([...unpacked, ...ran.store.files.keys()])
    for (const { directory, label } of FILES) {
      const name = label === 'table.tab' ? 'table.csv' : label
      expect(there).toContain(['doi-10.5072-FK2-KEPT_1.0', directory, name].filter(Boolean).join('/'))
    }
  })

  test.each([20, 9_000, 20_000])(
    'that ends after %i bytes as if it were whole is refused, and nothing shows',
    async (cut) => {
      const ran = await run(await start({ files: FILES }, { profile, zipCutAfterBytes: cut }), WHOLE)
      expect(ran.failures.get(NAME)?.code).toBe('ZIP_DAMAGED')
      expect(ran.store.files.size).toBe(0)
      expect(ran.retries.items).toBe(2)
    },
  )

  test('that was cut off once is asked for again from its beginning', async () => {
    const standIn = await start({ files: FILES }, { profile })
    standIn.fault({
      path: '/access/dataset/',
      steps: [
        { kind: 'early-end', after: 12_345 },
        { kind: 'cut', after: 15_000 },
      ],
    })
    const ran = await run(standIn, WHOLE)
    expect(ran.report).toMatchObject({ done: 1, complete: true })
    expect(ran.retries.items).toBe(2)
  })

  test('of a dataset with a file missing on the server is refused', async () => {
    const missing: FileSpec = { id: 313, label: 'missing.bin', content: 'x', store: 'missing' }
    const ran = await run(await start({ files: [...FILES, missing] }, { profile }), WHOLE)
    expect(ran.report).toMatchObject({ failed: 1, complete: false })
    expect(ran.store.files.size).toBe(0)
  })

  test('of an external ZIP service has no manifest, and still every missing file is named', async () => {
    const missing: FileSpec = { id: 313, label: 'missing.bin', content: 'x', store: 'missing' }
    const ran = await run(await start({ files: [...FILES, missing] }, { profile, externalZip: true }), WHOLE)
    expect(ran.receipts.get(NAME)?.leftOut).toEqual([{ id: 313, path: 'missing.bin', reason: 'missing' }])
  })

  test('of named files leaves out an id that the server does not know, instead of failing for it', async () => {
    const standIn = await start({ files: [...FILES, SECRET] }, { profile })
    const ran = await run(standIn, { kind: 'zip', files: [200, 9999, 201, 310] }, {}, { path: 'some.zip' })
    expect(ran.receipts.get('some.zip')?.leftOut).toEqual([
      { id: 310, path: 'even/secret.bin', reason: 'restricted' },
      { id: 9999, path: '9999', reason: 'unknown' },
    ])
    expect(await entriesAt(ran, 'some.zip')).toHaveLength(2)
  })

  test('of so many named files that the server refuses all for one is asked for without that one', async () => {
    const many = Array.from({ length: 420 }, (_, i) => ({ id: 10_000 + i, label: `${i}.txt`, content: String(i) }))
    const standIn = await start({ files: [...many, SECRET] }, { profile })
    const ids = [...many.map(({ id }) => id), 310]
    const ran = await run(standIn, { kind: 'zip', files: ids }, {}, { path: 'many.zip' })
    expect(ran.receipts.get('many.zip')?.leftOut).toEqual([{ id: 310, path: 'even/secret.bin', reason: 'restricted' }])
    expect(await entriesAt(ran, 'many.zip')).toHaveLength(420)
  })

  test('of a tabular file in all its forms is proven by the original in it', async () => {
    const ran = await run(
      await start({ files: FILES }, { profile }),
      { kind: 'bundle', file: 302 },
      {},
      { path: 'b.zip' },
    )
    expect(ran.receipts.get('b.zip')?.note).toBe('1 of 1 requested files are in it: 1 by checksum')
    expect(await entriesAt(ran, 'b.zip')).toEqual(expect.arrayContaining(['table.tab', 'table.csv']))
  })

  test('has names of the newest draft in it, and is complete all the same', async () => {
    const renamed = FILES.map((file) => ({ ...file, label: `new-${file.label}` }))
    const standIn = await start({ versions: [{ files: FILES }, { state: 'DRAFT', files: renamed }] }, { profile })
    const ran = await run(standIn, WHOLE)
    expect(ran.report).toMatchObject({ leftOut: 0, complete: true })
    expect(await entriesAt(ran, NAME)).toContain('even/new-f0.bin')
  })
})

test('an archive whose receipt a crash lost is looked into again, so that what it lacks stays on record', async () => {
  const standIn = await start({ files: [...FILES, SECRET] })
  const { store } = await run(standIn, WHOLE)
  for (const name of store.records.keys()) if (name.includes('/receipts/')) store.records.delete(name)
  const before = standIn.requests.filter(({ url }) => url.includes('/access/')).length
  const again = await run(standIn, WHOLE, { store })
  expect(standIn.requests.filter(({ url }) => url.includes('/access/')).length).toBe(before)
  expect(again.receipts.get(NAME)?.leftOut).toEqual([{ id: 310, path: 'even/secret.bin', reason: 'restricted' }])
  expect(again.report.complete).toBe(false)
})
