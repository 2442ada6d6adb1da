import { createHash } from 'node:crypto'
import { afterEach, expect, it } from 'vitest'
import { ask, at, count } from './ask.ts'
import { DEMO_FILES, DEMO_PIDS, demoFaults, demoWorld } from './dataverse/demo-world.ts'
import { startDataverseProcess } from './dataverse/process.ts'
import type { DataverseProcess, ProcessOptions } from './dataverse/process.ts'
import { standIns } from './worlds.ts'

const start = standIns()
const running: DataverseProcess[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.close()))
})

async function begin(options: ProcessOptions): Promise<DataverseProcess> {
  const started = await startDataverseProcess(options)
  running.push(started)
  return started
}

it('runs as a process of its own, with a world as JSON, and is steered and read from outside', async () => {
  const world = { datasets: [{ pid: 'doi:10.5072/FK2/P', id: 10, files: [{ id: 1, label: 'a', content: 'hello' }] }] }
  const dv = await begin({ world, profile: '6.10', tokens: { t: { user: '@jane' } } })
  const url = `${dv.url}/api/access/datafile/1`
  expect((await ask(url)).text).toBe('hello')
  await dv.fault({ file: 1, steps: [{ kind: 'status', status: 503, body: 'html' }] })
  expect((await ask(url)).status).toBe(503)
  await dv.set({ cutAfterBytes: 2 })
  expect((await ask(url)).text).toBe('he')
  expect(await dv.counters(1)).toEqual({ requests: 3, counted: 1, bytes: expect.any(Number) as number })
  expect((await dv.requests(1)).map(({ status }) => status)).toEqual([503, 200])
  expect(await dv.totals()).toMatchObject({ requests: 3, leaks: 0 })
  await dv.clearRequests()
  expect(await dv.requests()).toEqual([])
  await expect(dv.fault({ steps: [{ kind: 'cut', after: -1 }] })).rejects.toThrow('refused')
})

it('tells why it cannot start', async () => {
  await expect(startDataverseProcess({ world: '/no/such/module.ts' })).rejects.toThrow('did not start')
})

it('offers a million tiny files by name', async () => {
  const dv = await begin({ world: 'tiny:1000000:64:100' })
  expect((await ask(`${dv.url}/api/access/datafile/500000`)).body.length).toBe(64)
})

it('the demo world is the same at every start and holds what a mirror meets', async () => {
  const dv = await start({ world: demoWorld() })
  const listings = await Promise.all(
    DEMO_PIDS.map((pid) => ask(`${dv.url}/api/datasets/:persistentId/versions/:latest/files?persistentId=${pid}`)),
  )
  expect(listings.map((listing) => count(listing, 'data'))).toEqual([165, 24, 55])
  const text = listings.map((listing) => listing.text).join('')
  for (const label of ['CON.txt', '../evil.txt', 'Readme.txt', 'README.TXT', 'ends-with-a-dot.'])
    expect(text).toContain(JSON.stringify(label))
  expect(text).toContain('"type":"SHA-512"')
  const again = await start({ world: demoWorld() })
  const other = await ask(`${again.url}/api/datasets/10/versions/1.0/files?orderCriteria=Oldest`)
  const one = await ask(`${dv.url}/api/datasets/10/versions/1.0/files?orderCriteria=Oldest`)
  expect(createHash('md5').update(other.text).digest('hex')).toBe(createHash('md5').update(one.text).digest('hex'))
  expect((await ask(`${dv.url}/api/access/datafile/${DEMO_FILES.restricted}`)).status).toBe(403)
})

it('the demo faults break what they name and then let it through', async () => {
  const dv = await start({ world: demoWorld(), faults: demoFaults() })
  const busy = `${dv.url}/api/access/datafile/${DEMO_FILES.overloaded}`
  expect([(await ask(busy)).status, (await ask(busy)).status]).toEqual([503, 200])
  const wrong = `${dv.url}/api/access/datafile/${DEMO_FILES.wrongOnce}`
  const listed = at(await ask(`${dv.url}/api/files/${DEMO_FILES.wrongOnce}`), 'data', 'dataFile', 'checksum', 'value')
  const sums = [await ask(wrong), await ask(wrong)].map(({ body }) => createHash('sha512').update(body).digest('hex'))
  expect(sums.map((sum) => sum === listed)).toEqual([false, true])
})
