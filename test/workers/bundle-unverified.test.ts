import { afterEach, describe, expect, test } from 'vitest'
import { startDataverse, type StandIn, type StandInOptions } from '../fakes/dataverse/server.ts'
import type { FileSpec } from '../fakes/dataverse/specs.ts'
import { World } from '../fakes/dataverse/world.ts'
import { wholeRun, zipRequests, type Ran, type Wanted } from './whole-run.ts'

const PID = 'doi:10.5072/FK2/UNPROVEN'
const TOP = 'doi-10.5072-FK2-UNPROVEN'

let server: StandIn | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

/** Ten tabular files, of which every third is stored with its header line. */
function tables(): FileSpec[] {
  return Array.from({ length: 10 }, (_, i) => ({
    id: 100 + i,
    label: `t${i}.tab`,
    directory: `d${i % 2}`,
    tabular: {
      original: `a,b\n${i},2\n`,
      header: ['a', 'b'],
      tab: i % 3 === 0 ? `a\tb\n${i}\t2\n` : `${i}\t2\n`,
      storedWithHeader: i % 3 === 0,
    },
  }))
}

/** Ten plain files that the server publishes no checksum of. */
function plain(): FileSpec[] {
  return Array.from({ length: 10 }, (_, i) => ({
    id: 200 + i,
    label: `p${i}.bin`,
    content: { size: 100 + i, seed: i + 1 },
    checksum: null,
  }))
}

async function start(files: readonly FileSpec[], options: Omit<StandInOptions, 'world'>): Promise<StandIn> {
  const world = new World()
  world.dataset(PID, { files })
  server = await startDataverse({ world, ...options })
  return server
}

function run(standIn: StandIn, batch: Wanted['batch']): Promise<Ran> {
  const entries = [{ target: { kind: 'dataset' as const, dataset: PID } }]
  return wholeRun({ server: standIn, entries, batch: { bundle: 'auto', ...batch } })
}

function singles({ requests }: StandIn): number {
  return requests.filter(({ url }) => /\/access\/datafile\/\d/.test(url)).length
}

describe.each(['6.9', '6.11'] as const)('Files without a published checksum on Dataverse %s', (profile) => {
  test('come singly unless the user allows otherwise', async () => {
    const standIn = await start([...tables(), ...plain()], { profile })
    const { report } = await run(standIn, { format: 'archival' })
    expect(report).toMatchObject({ done: 20, complete: true })
    expect(zipRequests(standIn)).toBe(0)
    expect(singles(standIn)).toBe(20)
  })

  test('come in one ZIP where the user allows it, and their receipts say that only the size was compared', async () => {
    const standIn = await start([...tables(), ...plain()], { profile })
    const ran = await run(standIn, { format: 'archival', bundleUnverified: true })
    expect(ran.report).toMatchObject({ done: 20, complete: true, verified: { checksum: 0, size: 20 } })
    expect(zipRequests(standIn)).toBe(1)
    expect(singles(standIn)).toBe(0)
    const receipt = ran.receipts.get(`${TOP}/d1/t1.tab`)
    expect(receipt).toMatchObject({ verified: 'size', size: 8, checksum: { algorithm: 'sha256' } })
    expect(receipt?.note).toBe('4 bytes as listed, and a header line of 4')
    expect(Buffer.from(ran.store.files.get(`${TOP}/d1/t1.tab`)?.bytes ?? []).toString()).toBe('a\tb\n1\t2\n')
    // Stored with its header line, this one is as long as it is listed.
    expect(ran.receipts.get(`${TOP}/d0/t0.tab`)).not.toHaveProperty('note')
    expect(ran.receipts.get(`${TOP}/p3.bin`)).toMatchObject({ verified: 'size', size: 103 })
  })

  test('come singly where the ZIP has another size than is listed, or another name', async () => {
    const stated = plain().map((file, i) => (i === 4 ? { ...file, statedSize: 99 } : file))
    const renamed = stated.map((file, i) => (i === 6 ? { ...file, label: 'renamed.bin' } : file))
    const world = new World()
    world.dataset(PID, { versions: [{ files: stated }, { state: 'DRAFT', files: renamed }] })
    server = await startDataverse({ world, profile })
    const ran = await run(server, { bundleUnverified: true })
    expect(zipRequests(server)).toBe(1)
    expect(singles(server)).toBeGreaterThanOrEqual(2)
    expect(ran.receipts.get(`${TOP}/p6.bin`)).toMatchObject({ verified: 'size', size: 106 })
    expect([...ran.store.files.keys()]).not.toContain(`${TOP}/renamed.bin`)
  })

  test('travel with those that have one, each with its own proof', async () => {
    const proven = plain().map((file, i): FileSpec => (i % 2 === 0 ? { ...file, checksum: 'SHA-1' } : file))
    const ran = await run(await start(proven, { profile }), { bundleUnverified: true })
    expect(ran.report).toMatchObject({ done: 10, complete: true, verified: { checksum: 5, size: 5 } })
  })

  test('are no reason to hand over the bytes of a withheld file under its name', async () => {
    const files = [
      { id: 1, label: 'secret.bin', content: 'the same bytes', checksum: 'MD5' as const },
      { id: 2, label: 'open.bin', content: 'the same bytes', checksum: null },
      { id: 3, label: 'other.bin', content: 'other bytes', checksum: 'MD5' as const },
    ]
    const world = new World()
    // The data file's own flag decides, and the listing of the latest version does not show it.
    const restricted = files.map((file) => ({ ...file, restricted: file.id === 1 }))
    world.dataset(PID, { versions: [{ files: restricted }, { files }] })
    server = await startDataverse({ world, profile })
    const ran = await run(server, { bundleUnverified: true })
    expect(ran.report).toMatchObject({ done: 2, failed: 1 })
    expect([...ran.failures.values()]).toMatchObject([{ path: `${TOP}/secret.bin`, code: 'SOURCE_DENIED' }])
    expect([...ran.store.files.keys()].sort()).toEqual([`${TOP}/open.bin`, `${TOP}/other.bin`])
  })
})
