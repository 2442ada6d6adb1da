import { afterEach, describe, expect, test } from 'vitest'
import { NativeApi } from '../../src/dataverse/native-api.ts'
import type { Entry } from '../../src/model/entry.ts'
import { checksumsOf } from '../../src/model/receipt.ts'
import type { OpenSource } from '../../src/model/source.ts'
import type { ListedFile } from '../../src/model/listing.ts'
import { openItems } from '../../src/status.ts'
import { checksumOf } from '../contracts/hash.ts'
import { startDataverse, type StandIn, type StandInOptions } from '../fakes/dataverse/server.ts'
import { World } from '../fakes/dataverse/world.ts'
import type { DatasetSpec, FileSpec } from '../fakes/dataverse/specs.ts'
import { wholeRun, zipRequests, type Ran, type Wanted } from './whole-run.ts'

const PID = 'doi:10.5072/FK2/SMALL'
const DATASET: Entry = { target: { kind: 'dataset', dataset: PID } }
const CHECKSUMS = ['MD5', 'SHA-1', 'SHA-256', 'SHA-512'] as const

let server: StandIn | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

function small(count: number, change: (i: number) => Partial<FileSpec> = () => ({})): FileSpec[] {
  return Array.from({ length: count }, (_, i) => ({
    id: 100 + i,
    label: `f${i}.bin`,
    directory: `d${i % 3}`,
    content: { size: 1_000 + i * 37, seed: i + 1 },
    checksum: CHECKSUMS[i % 4] ?? 'MD5',
    ...change(i),
  }))
}

async function start(spec: DatasetSpec, options: Omit<StandInOptions, 'world'> = {}): Promise<StandIn> {
  const world = new World()
  world.dataset(PID, spec)
  server = await startDataverse({ world, ...options })
  return server
}

function run(standIn: StandIn, more: Partial<Wanted> = {}): Promise<Ran> {
  return wholeRun({ server: standIn, entries: [DATASET], ...more, batch: { bundle: 'auto', ...more.batch } })
}

function countsOf({ report }: Ran): unknown {
  const { planned, done, failed, missing, complete } = report
  return { planned, done, failed, missing, complete }
}

describe.each(['6.9', '6.11'] as const)('Small files of a dataset on Dataverse %s', (profile) => {
  test('come in one request, each verified, recorded and counted as if it had come alone', async () => {
    const standIn = await start({ files: small(60) }, { profile })
    const ran = await run(standIn)
    expect(countsOf(ran)).toEqual({ planned: 60, done: 60, failed: 0, missing: 0, complete: true })
    expect(ran.report.verified.checksum).toBe(60)
    expect(zipRequests(standIn)).toBe(1)
    for (let id = 100; id < 160; id++) expect(standIn.records.file(id).counted).toBe(1)
    expect([...ran.store.files.keys()]).toContain('doi-10.5072-FK2-SMALL/d1/f1.bin')
  })

  test('have the digests that were asked for in their receipts, whatever verified them', async () => {
    const standIn = await start({ files: small(12) }, { profile })
    const ran = await run(standIn, { batch: { digests: ['sha256', 'sha512'] } })
    expect(ran.report.checksums).toEqual({ md5: 3, sha1: 3, sha256: 12, sha512: 12 })
    for (const [path, receipt] of ran.receipts) {
      const { bytes } = ran.store.files.get(path) ?? { bytes: new Uint8Array() }
      for (const found of checksumsOf(receipt)) expect(found).toEqual(checksumOf(bytes, found.algorithm))
    }
    expect(zipRequests(standIn)).toBe(1)
  })

  test('stay below the limit that the server names, so that it leaves none out', async () => {
    const standIn = await start({ files: small(40) }, { profile, zipLimit: 20_000 })
    const ran = await run(standIn)
    expect(countsOf(ran)).toMatchObject({ done: 40, complete: true })
    const zips = zipRequests(standIn)
    expect(zips).toBeGreaterThanOrEqual(4)
    expect(standIn.requests.filter(({ url }) => url.includes('/access/')).length).toBe(zips)
  })

  test('come singly where the server leaves them out for its limit after all', async () => {
    const standIn = await start({ files: small(40) }, { profile, zipLimit: 20_000 })
    const ran = await run(standIn, { zipLimit: 1_000_000 })
    expect(countsOf(ran)).toMatchObject({ done: 40, complete: true })
    expect(zipRequests(standIn)).toBe(1)
    expect(ran.retries).toEqual({ items: 0, bundles: 0 })
  })

  test('come singly when the processes that had their bundle died with it', async () => {
    const standIn = await start({ files: small(10) }, { profile })
    expect(countsOf(await run(standIn, { crashes: 2 }))).toMatchObject({ done: 10, complete: true })
    expect(zipRequests(standIn)).toBe(1)
    const again = await run(standIn, { crashes: 3 })
    expect(countsOf(again)).toMatchObject({ done: 10, complete: true })
    expect(zipRequests(standIn)).toBe(1)
  })

  test('that are restricted are no part of an archive, and fail with their reason', async () => {
    const standIn = await start({ files: small(30, (i) => (i % 10 === 4 ? { restricted: true } : {})) }, { profile })
    const ran = await run(standIn)
    expect(countsOf(ran)).toEqual({ planned: 30, done: 27, failed: 3, missing: 0, complete: false })
    expect(ran.report.failures).toEqual({ SOURCE_DENIED: 3 })
    const [zip] = standIn.requests.filter(({ url }) => url.includes('/access/datafiles'))
    expect(zip?.url).not.toContain('104')
  })

  test('that are withheld although the listing does not say so fail alone', async () => {
    const files = small(30)
    const standIn = await start(
      { versions: [{ files: files.map((file, i) => ({ ...file, restricted: i === 7 })) }, { files }] },
      { profile },
    )
    const ran = await run(standIn)
    expect(countsOf(ran)).toMatchObject({ done: 29, failed: 1 })
    expect([...ran.failures.values()]).toMatchObject([
      { path: 'doi-10.5072-FK2-SMALL/d1/f7.bin', code: 'SOURCE_DENIED' },
    ])
    expect(zipRequests(standIn)).toBe(1)
  })

  test('are had although one of them is unpublished, with which an old server ends the archive', async () => {
    const files = small(30)
    const draft = { id: 115_000, label: 'draft.bin', content: 'draft' }
    const standIn = await start({ versions: [{ files }, { state: 'DRAFT', files: [...files, draft] }] }, { profile })
    const ran = await run(standIn, { entries: await listedEntries(standIn, draft) })
    expect(countsOf(ran)).toMatchObject({ planned: 31, done: 30, failed: 1 })
    expect([...ran.failures.values()]).toMatchObject([{ n: 30, code: 'SOURCE_DENIED' }])
  })

  test('are kept up to the byte where an archive ends as if it were whole', async () => {
    const standIn = await start({ files: small(60) }, { profile, zipCutAfterBytes: 40_000 })
    const ran = await run(standIn)
    expect(countsOf(ran)).toMatchObject({ done: 60, complete: true })
    const singles = standIn.requests.filter(({ url }) => url.includes('/access/datafile/')).length
    expect(singles).toBeGreaterThan(10)
    expect(singles).toBeLessThan(50)
    // The server counted those whose turn in the archive had come; the one in which it broke off counts as two downloads.
    const counts = Array.from({ length: 60 }, (_, i) => standIn.records.file(100 + i).counted).sort()
    expect(counts.slice(0, -1)).toEqual(Array.from({ length: 59 }, () => 1))
    expect(counts.at(-1)).toBeLessThanOrEqual(2)
    expect(ran.retries.items).toBe(0)
  })

  test('are had although one of them is missing on the server, which ends the archive', async () => {
    const standIn = await start({ files: small(60, (i) => (i === 40 ? { store: 'missing' } : {})) }, { profile })
    const ran = await run(standIn)
    expect(countsOf(ran)).toMatchObject({ done: 59, failed: 1 })
    expect(ran.failures.get('doi-10.5072-FK2-SMALL/d1/f40.bin')?.code).toBe('SOURCE_BYTES_MISSING')
  })

  test('have their names from the plan, not from the archive, which uses those of the newest draft', async () => {
    const files = small(20)
    const renamed = files.map((file, i) => ({ ...file, label: `renamed-${i}.dat`, directory: 'elsewhere' }))
    const standIn = await start({ versions: [{ files }, { state: 'DRAFT', files: renamed }] }, { profile })
    const ran = await run(standIn)
    expect(countsOf(ran)).toMatchObject({ done: 20, complete: true })
    expect([...ran.store.files.keys()].every((path) => /\/d\d\/f\d+\.bin$/.test(path))).toBe(true)
    expect(standIn.requests.filter(({ url }) => url.includes('/access/datafile/')).length).toBe(0)
  })

  test('come from an external ZIP service as well, which says nothing of what fails there', async () => {
    const standIn = await start(
      { files: small(40, (i) => (i === 11 ? { store: 'missing' } : {})) },
      { profile, externalZip: true },
    )
    const ran = await run(standIn)
    expect(countsOf(ran)).toMatchObject({ done: 39, failed: 1 })
    const singly = standIn.requests.filter(({ url }) => url.includes('/access/datafile/'))
    expect(singly.every(({ file }) => file === 111)).toBe(true)
  })

  test('are had although the listing names an id that the server no longer knows', async () => {
    const standIn = await start({ files: small(20) }, { profile })
    const ran = await run(standIn, { entries: await listedEntries(standIn, { id: 9999, label: 'gone.bin' }) })
    expect(countsOf(ran)).toMatchObject({ planned: 21, done: 20, failed: 1 })
    expect([...ran.failures.values()].map(({ code }) => code)).toEqual(['SOURCE_NOT_FOUND'])
  })

  test('with equal names or equal bytes all come to their own places', async () => {
    const twins = small(24, (i) => ({
      label: `same-${i % 2}.bin`,
      directory: `d${i}`,
      content: { size: 500, seed: i % 5 },
    }))
    const ran = await run(await start({ files: twins }, { profile }))
    expect(countsOf(ran)).toMatchObject({ done: 24, complete: true })
  })
})

/** Rows of a listing that was made before: they are planned without asking the server. */
async function listedEntries(standIn: StandIn, gone: Pick<ListedFile, 'id' | 'label'>): Promise<Entry[]> {
  const api = new NativeApi({ baseUrl: standIn.url })
  const signal = new AbortController().signal
  const listedIn = await api.version(PID, ':latest', signal)
  const listed: ListedFile[] = []
  for await (const file of api.files(PID, listedIn.version, signal)) if (!('mislisted' in file)) listed.push(file)
  await api.close()
  const [first] = listed
  if (first) listed.push({ ...first, ...gone })
  return listed.map((file) => ({ target: { kind: 'file', file: file.id }, listed: file, listedIn }))
}

test('a server whose archives fail three times in a row gets no more of them in this batch, and the report says so', async () => {
  const standIn = await start({ files: small(60) }, { zipCutAfterBytes: 20, zipLimit: 12_000 })
  const ran = await run(standIn)
  expect(countsOf(ran)).toMatchObject({ done: 60, complete: true })
  expect(ran.report.bundlesOff).toEqual([standIn.url])
  expect(ran.notices).toHaveLength(1)
  expect(zipRequests(standIn)).toBe(3)
})

describe('What stops an archive in the middle', () => {
  /** Does something once, when so many bytes of an archive have come. */
  function after(bytes: number, then: () => Promise<void>): (open: OpenSource) => OpenSource {
    let left = bytes
    return (open) => async (ref, from, options) => {
      const opened = await open(ref, from, options)
      return ref.kind === 'zip' ? { ...opened, body: watched(opened.body) } : opened
    }
    async function* watched(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of body) {
        // In small pieces, as a network gives them.
        for (let at = 0; at < chunk.length; at += 1_000) {
          const piece = chunk.subarray(at, at + 1_000)
          yield piece
          left -= piece.length
          if (left <= 0 && left + piece.length > 0) await then()
        }
      }
    }
  }

  function singles(standIn: StandIn): number {
    return standIn.requests.filter(({ url }) => url.includes('/access/datafile/')).length
  }

  test('a pause keeps every entry that was committed, and the rest goes on singly afterwards', async () => {
    const standIn = await start({ files: small(60) })
    let paused = 0
    const between: Wanted['between'] = (open, ledger, running) =>
      after(50_000, async () => {
        paused++
        await ledger.setState('b1', 'paused')
        running.stopWhere(() => true, 'held')
      })(open)
    const ran = await run(standIn, { between })
    expect(paused).toBe(1)
    expect(countsOf(ran)).toMatchObject({ done: 60, failed: 0, complete: true })
    expect(zipRequests(standIn)).toBe(1)
    expect(singles(standIn)).toBeGreaterThan(0)
    expect(singles(standIn)).toBeLessThan(50)
  })

  test('is shown as under way until its last entry has ended', async () => {
    const standIn = await start({ files: small(60) })
    const seen: unknown[] = []
    const between: Wanted['between'] = (open, ledger, running) =>
      after(120_000, async () => {
        const held = running.held()
        for (const { n } of held) {
          await expect.poll(() => ledger.settledIn('b1', n, n + 1), { timeout: 20_000 }).toEqual([true])
        }
        seen.push((await openItems(ledger, { id: 'b1', state: 'open' }, held)).active)
      })(open)
    const ran = await run(standIn, { between })
    expect(countsOf(ran)).toMatchObject({ done: 60, complete: true })
    expect(seen).toEqual([[expect.objectContaining({ batch: 'b1', files: 60 })]])
  })

  test('a shutdown keeps every entry that was committed, and the next worker asks for an archive of the rest', async () => {
    const standIn = await start({ files: small(60) })
    let stopped = 0
    const between: Wanted['between'] = (open, _, running) =>
      after(50_000, () => {
        if (stopped++ === 0) running.stopWhere(() => true, 'shutdown')
        return Promise.resolve()
      })(open)
    const ran = await run(standIn, { between })
    expect(countsOf(ran)).toMatchObject({ done: 60, complete: true })
    expect(singles(standIn)).toBe(0)
    const [first = '', second = ''] = standIn.requests.flatMap(({ url }) =>
      url.includes('/access/datafiles/') ? [url] : [],
    )
    expect(second.split(',').length).toBeLessThan(first.split(',').length)
    expect(ran.retries).toEqual({ items: 0, bundles: 0 })
  })

  test('a server that wants a pause gets it, and is asked for the archive again', async () => {
    const standIn = await start({ files: small(60) })
    standIn.fault({ path: '/access/datafiles/', steps: [{ kind: 'status', status: 429, body: 'json' }] })
    const ran = await run(standIn)
    expect(countsOf(ran)).toMatchObject({ done: 60, complete: true })
    expect(zipRequests(standIn)).toBe(2)
    expect(singles(standIn)).toBe(0)
    expect(ran.retries).toEqual({ items: 0, bundles: 0 })
  })
})

test('files that are there already are not asked for again', async () => {
  const standIn = await start({ files: small(40) })
  const { store } = await run(standIn)
  store.records.clear()
  const before = zipRequests(standIn)
  const ran = await run(standIn, { store })
  expect(ran.report).toMatchObject({ done: 40, failed: 0 })
  expect(zipRequests(standIn)).toBe(before)
})

test('without --bundle every file comes alone', async () => {
  const standIn = await start({ files: small(12) })
  await run(standIn, { batch: { bundle: 'off' } })
  expect(zipRequests(standIn)).toBe(0)
})

test('only files up to the given size travel together', async () => {
  const standIn = await start({ files: small(12) })
  await run(standIn, { batch: { bundle: 1_100 } })
  const [zip] = standIn.requests.filter(({ url }) => url.includes('/access/datafiles'))
  expect(zip?.url).toContain('100,101,102')
  expect(zip?.url).not.toContain('103')
})
