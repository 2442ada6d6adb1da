import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startDataverseProcess, type DataverseProcess } from '../fakes/dataverse/process.ts'
import type { Profile } from '../fakes/dataverse/profile.ts'
import type { WorldJson } from '../fakes/dataverse/world-json.ts'
import { makeHome, records, type Home } from './cli.ts'

const PID = 'doi:10.5072/FK2/TABLES'
const COUNT = 30

const world: WorldJson = {
  datasets: [
    {
      pid: PID,
      files: [
        ...Array.from({ length: COUNT }, (_, i) => ({
          id: 100 + i,
          label: `t${i}.tab`,
          tabular: { original: `a,b\n${i},2\n`, header: ['a', 'b'], tab: `${i}\t2\n` },
        })),
        ...Array.from({ length: COUNT }, (_, i) => ({
          id: 500 + i,
          label: `old${i}.bin`,
          content: { size: 1_000 + i, seed: i + 1 },
          checksum: null,
        })),
      ],
    },
  ],
}

/** Registers the suite with a server of this version: one form is quick, the other long. */
export function describeUnverified(profile: Profile): void {
  describe(`Files without a published checksum on Dataverse ${profile}`, () => suite(profile))
}

function suite(profile: Profile): void {
  let dataverse: DataverseProcess
  let home: Home
  beforeAll(async () => {
    home = await makeHome()
    dataverse = await startDataverseProcess({ world, profile })
  })
  afterAll(async () => {
    await dataverse.close()
    await home[Symbol.asyncDispose]()
  })

  async function archives(): Promise<number> {
    const requests = await dataverse.requests()
    await dataverse.clearRequests()
    return requests.filter(({ url }) => url.includes('/access/datafiles/')).length
  }

  test('come singly with --bundle alone', async () => {
    const to = join(home.folder, 'singly')
    const args = ['--server', dataverse.url, '--to', to, '--format', 'archival', '--bundle', 'auto']
    expect((await home.run(['run', PID, ...args, '--json'])).code).toBe(0)
    expect(await archives()).toBe(0)
  })

  test('are let into the ZIPs by the batch itself, whoever works on it, and their receipts say what was compared', async () => {
    const args = ['--server', dataverse.url, '--to', home.data, '--format', 'archival', '--bundle', 'auto']
    const run = await home.run(['run', PID, ...args, '--bundle-unverified', '--json'])
    expect(run.code).toBe(0)
    const [summary] = records(run.stdout).filter(({ event }) => event === 'summary')
    expect(summary).toMatchObject({ done: 2 * COUNT, failed: 0, verified: { checksum: 0, size: 2 * COUNT } })
    expect(await archives()).toBe(1)
    const receipts = await receiptsOf(home.data)
    expect(receipts.find(({ path }) => String(path).endsWith('/t7.tab'))).toMatchObject({
      verified: 'size',
      note: '4 bytes as listed, and a header line of 4',
    })
    expect(receipts.find(({ path }) => String(path).endsWith('/old3.bin'))).toMatchObject({
      verified: 'size',
      size: 1_003,
    })
    expect((await home.run(['verify', home.data])).code).toBe(0)
    const [batch = ''] = (await readdir(join(home.data, '.dataferry'))).filter((name) => name !== 'parts')
    const recorded: unknown = JSON.parse(await readFile(join(home.data, '.dataferry', batch, 'batch.json'), 'utf8'))
    expect(recorded).toMatchObject({ bundle: 'auto', bundleUnverified: true })
  })

  test('travel so as well when one command enqueues them and another one fetches them', async () => {
    const to = join(home.folder, 'enqueued')
    const args = ['--server', dataverse.url, '--to', to, '--format', 'archival', '--bundle', 'auto']
    expect((await home.run(['enqueue', PID, ...args, '--bundle-unverified'])).code).toBe(0)
    expect((await home.run(['work', '--until-done', '--server', dataverse.url])).code).toBe(0)
    expect(await archives()).toBe(1)
    expect((await receiptsOf(to)).length).toBe(2 * COUNT)
  })
}

async function receiptsOf(data: string): Promise<Record<string, unknown>[]> {
  const folder = join(data, '.dataferry')
  const found: Record<string, unknown>[] = []
  for (const name of await readdir(folder, { recursive: true })) {
    if (/\/receipts\/[^/]+\.ndjson$/.test(name)) found.push(...records(await readFile(join(folder, name), 'utf8')))
  }
  return found
}
