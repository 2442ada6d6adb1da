import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Started } from './cli.ts'
import { records } from './cli.ts'
import { partsAt, startService, until, type Service } from './service.ts'

const MIB = 1 << 20
const LARGE = 24 * MIB
/** Bytes a second: a large file takes long enough to be met in the middle. */
const SLOW = 4 * MIB
const SMALL = 120

const large = (id: number) => ({ id, label: `large-${id}.bin`, content: { size: LARGE, seed: id } })

let service: Service
beforeAll(async () => {
  service = await startService({
    world: {
      datasets: [
        {
          pid: 'doi:10.5072/FK2/MANY',
          files: Array.from({ length: SMALL }, (_, i) => ({
            id: 1000 + i,
            label: `small-${i}.bin`,
            content: { size: (i * 977) % 9_000, seed: i },
          })),
        },
        { pid: 'doi:10.5072/FK2/LARGE', files: [1, 2, 3, 4, 5, 6].map(large) },
        {
          pid: 'doi:10.5072/FK2/MIXED',
          files: Array.from({ length: 6 }, (_, i) => ({ id: 30 + i, label: `${i}.txt`, content: `file ${i}` })),
        },
      ],
    },
  })
})
afterAll(() => service[Symbol.asyncDispose]())

/** Waits until some bytes of a batch's file have come, and no more than can be told from the whole. */
function untilInFlight(id: string): Promise<{ readonly bytes: number }> {
  // Records of workers may still name what they held a moment ago.
  const isComing = ({ batch, bytes }: { readonly batch: string; readonly bytes: number }) => batch === id && bytes > MIB
  return until(`${id} in flight`, async () => (await service.held()).find(isComing))
}

const untilIdle = (id: string) => until(`${id} idle`, async () => (await service.batch(id)).active === 0)
const untilFinished = (id: string) =>
  until(`${id} finished`, async () => (await service.batch(id)).state === 'finished')

async function onlyReceipt(to: string) {
  const lines = (await service.outcomes(to)).filter(({ state }) => state === 'done')
  expect(lines).toHaveLength(1)
  const [line] = lines
  if (line?.state !== 'done') throw new Error('no receipt')
  return line
}

async function ended({ child, ended }: Started): Promise<number | undefined> {
  child.kill('SIGTERM')
  return (await ended).code
}

test('what is enqueued is fetched by the workers of two machines, each file once, and both end when all is done', async () => {
  const id = await service.enqueue('many', 'doi:10.5072/FK2/MANY')
  expect(await service.batch(id)).toMatchObject({ state: 'open', planned: SMALL, planComplete: true, done: 0 })
  await service.dataverse.set({ latencyMs: 100 })
  const both = [service.work(0, '--until-done'), service.work(1, '--until-done')]
  for (const { code, stderr } of await Promise.all(both.map((one) => one.ended))) {
    expect(stderr).not.toContain('dataferry:')
    expect(code).toBe(0)
  }
  await service.dataverse.set({ latencyMs: 0 })
  expect(await service.batch(id)).toMatchObject({ state: 'finished', done: SMALL, kept: 0, failed: 0, open: 0 })
  const lines = await service.outcomes('many')
  expect(new Set(lines.map(({ n }) => n)).size).toBe(SMALL)
  expect(lines).toHaveLength(SMALL)
  expect(await partsAt(service.at('many'))).toEqual([])
})

test('--until-done leaves out a batch whose destination is not to be seen from here, names it once, and brings the rest', async () => {
  const gone = await service.enqueue('gone', '30')
  await rename(service.at('gone'), `${service.at('gone')}-away`)
  const id = await service.enqueue('rest', '31')
  const { code, stderr } = await service.work(0, '--until-done', '--processes', '2').ended
  expect(code).toBe(0)
  // Several processes speak with one voice.
  expect(stderr).not.toMatch(/Stopping|Working for/)
  expect(stderr).toContain('Nothing is left to do here.')
  expect(stderr.match(new RegExp(`${gone} is left out: its destination cannot be used from here: `, 'g'))).toHaveLength(
    1,
  )
  expect(await service.batch(id)).toMatchObject({ state: 'finished', done: 1 })
  expect(await service.batch(gone)).toMatchObject({ state: 'open', done: 0, failed: 0 })
  await rename(`${service.at('gone')}-away`, service.at('gone'))
})

test('a worker with --to brings what goes there, and leaves everything else to others', async () => {
  const [here, there] = [await service.enqueue('here', '32'), await service.enqueue('there', '33')]
  const { code, stderr } = await service.work(0, '--until-done', '--to', service.at('here')).ended
  expect(code).toBe(0)
  expect(stderr).toContain(`${there} is left out: its destination ${service.at('there')} is none of --to.`)
  expect(await service.batch(here)).toMatchObject({ state: 'finished', done: 1 })
  expect(await service.batch(there)).toMatchObject({ state: 'open', done: 0 })
  expect((await service.work(1, '--until-done').ended).code).toBe(0)
  expect(await service.batch(there)).toMatchObject({ state: 'finished', done: 1 })
})

describe('while workers run on two machines', () => {
  let workers: Started[] = []
  beforeAll(async () => {
    // One attempt only: whatever uses one fails its file.
    workers = [service.work(0, '--retries', '1'), service.work(1, '--retries', '1')]
    await until('two workers', async () => (await service.workers.list()).length === 2)
  })
  afterAll(async () => {
    for (const worker of workers) if (worker.child.exitCode === null) await ended(worker)
  })

  test('a pause of a batch parks its file at the byte, uses no attempt, and a continue goes on there', async () => {
    await service.dataverse.set({ bytesPerSecond: SLOW })
    const id = await service.enqueue('paused', '1')
    await untilInFlight(id)
    const status = await service.run(1, 'status', '--json')
    const holding = records(status.stdout).filter(
      ({ event, holds }) => event === 'worker' && Array.isArray(holds) && holds.length > 0,
    )
    expect(holding).toMatchObject([{ holds: [{ batch: id, n: 0 }] }])
    const { code, stdout } = await service.run(1, 'pause', id)
    const told = performance.now()
    expect(code).toBe(0)
    expect(stdout).toContain(`Paused ${id}`)
    await until('no stream', async () => (await service.dataverse.requests()).every((request) => request.ended))
    process.stderr.write(`paused everywhere ${Math.round(performance.now() - told)} ms after the command had ended\n`)
    await untilIdle(id)
    expect(await service.batch(id)).toMatchObject({ state: 'paused', reason: 'by hand', open: 1, failed: 0 })
    expect(await partsAt(service.at('paused'))).toEqual([`${id}-0`])
    await service.dataverse.set({ bytesPerSecond: 0 })
    expect((await service.run(0, 'continue', id)).code).toBe(0)
    await untilFinished(id)
    const { resumedFrom } = await onlyReceipt('paused')
    expect(resumedFrom).toBeGreaterThan(0)
    expect(await service.dataverse.counters(1)).toMatchObject({ counted: 1 })
  })

  test('a pause of one server does the same for all batches', async () => {
    await service.dataverse.set({ bytesPerSecond: SLOW })
    const { url } = service.dataverse
    const id = await service.enqueue('server', '2')
    await untilInFlight(id)
    expect((await service.run(1, 'pause', '--only-server', url)).code).toBe(0)
    await untilIdle(id)
    const [server] = (await service.status()).servers
    expect(server).toMatchObject({ server: url, hold: { by: 'person', reason: 'by hand' }, active: 0 })
    expect(await service.batch(id)).toMatchObject({ state: 'open', open: 1 })
    await service.dataverse.set({ bytesPerSecond: 0 })
    expect((await service.run(1, 'continue', '--only-server', url)).code).toBe(0)
    await untilFinished(id)
    expect((await onlyReceipt('server')).resumedFrom).toBeGreaterThan(0)
  })

  test('a cancelled batch stops where it is, and can be taken up again', async () => {
    await service.dataverse.set({ bytesPerSecond: SLOW })
    const id = await service.enqueue('cancelled', '3')
    await untilInFlight(id)
    expect((await service.run(0, 'cancel', id)).code).toBe(0)
    await untilIdle(id)
    expect(await service.batch(id)).toMatchObject({ state: 'cancelled', open: 1, failed: 0 })
    await service.dataverse.set({ bytesPerSecond: 0 })
    expect((await service.run(0, 'continue', id)).code).toBe(0)
    await untilFinished(id)
    expect((await onlyReceipt('cancelled')).resumedFrom).toBeGreaterThan(0)
  })

  test('retry fetches failed files only, by code or all of them, once the cause is mended', async () => {
    for (const file of [30, 31]) {
      await service.dataverse.fault({ file, steps: [{ kind: 'status', status: 403, body: 'json' }], repeat: true })
    }
    await service.dataverse.fault({ file: 32, steps: [{ kind: 'status', status: 404, body: 'json' }], repeat: true })
    const id = await service.enqueue('retried', 'doi:10.5072/FK2/MIXED')
    await untilFinished(id)
    expect(await service.batch(id)).toMatchObject({ done: 3, failed: 3 })
    await service.dataverse.clearFaults()
    const { requests: before } = await service.dataverse.totals()
    expect((await service.run(1, 'retry', id, '--code', 'SOURCE_DENIED')).stdout).toContain('2 failed files')
    await until('two more', async () => (await service.batch(id)).done === 5)
    await untilFinished(id)
    expect(await service.batch(id)).toMatchObject({ done: 5, failed: 1 })
    expect((await service.run(1, 'retry', id)).stdout).toContain('1 failed file')
    await until('all', async () => (await service.batch(id)).done === 6)
    await untilFinished(id)
    const asked = (await service.dataverse.requests(before)).flatMap(({ file }) => file ?? [])
    expect(asked.sort()).toEqual([30, 31, 32])
    const report: unknown = JSON.parse(
      await readFile(join(service.at('retried'), '.dataferry', id, 'report.json'), 'utf8'),
    )
    expect(report).toMatchObject({ complete: true, done: 6, failed: 0 })
  })

  test('a limit of streams is obeyed by all workers together, at once and while they work', async () => {
    const { dataverse } = service
    const together = async (): Promise<number> =>
      (await dataverse.requests()).filter((request) => !request.ended).length
    await dataverse.set({ latencyMs: 400 })
    expect((await service.run(0, 'limit', dataverse.url, '--concurrency', '2')).code).toBe(0)
    await dataverse.clearRequests()
    const id = await service.enqueue('limited', 'doi:10.5072/FK2/MANY')
    const seen: number[] = []
    await until('half', async () => {
      seen.push(await together())
      return (await service.batch(id)).done > 20
    })
    expect(Math.max(...seen)).toBe(2)
    expect((await service.run(1, 'limit', dataverse.url, '--concurrency', '6')).code).toBe(0)
    await until('six at once', async () => (await together()) > 2)
    expect((await service.run(1, 'limit', dataverse.url, '--concurrency', 'none')).code).toBe(0)
    await dataverse.set({ latencyMs: 0 })
    await untilFinished(id)
  })

  test('a limit of bytes slows a file down that is in flight, and is taken back', async () => {
    const { url } = service.dataverse
    await service.dataverse.set({ bytesPerSecond: SLOW })
    const id = await service.enqueue('rate', '4')
    await untilInFlight(id)
    expect((await service.run(0, 'limit', url, '--rate', '200K')).code).toBe(0)
    await service.dataverse.set({ bytesPerSecond: 0 })
    const [one] = await service.held()
    const from = performance.now()
    const later = await until('three seconds', async () => {
      const [held] = await service.held()
      return performance.now() - from > 3_000 && { bytes: held?.bytes }
    })
    // Without the limit the whole file would have come in much less.
    expect((later.bytes ?? LARGE) - (one?.bytes ?? 0)).toBeLessThan(LARGE / 3)
    expect((await service.run(0, 'limit', url, '--rate', 'none')).code).toBe(0)
    await untilFinished(id)
    expect(await service.batch(id)).toMatchObject({ done: 1, failed: 0 })
  })

  test('a server that asks for a pause is shown with what is left of it, and gets it', async () => {
    const { dataverse } = service
    await dataverse.fault({ file: 33, steps: [{ kind: 'status', status: 429, body: 'json', retryAfter: '8' }] })
    const id = await service.enqueue('throttled', '33')
    await until('a back-off', async () => (await service.status()).servers.some(({ hold }) => hold?.by === 'throttle'))
    const shown = records((await service.run(0, 'status', '--json')).stdout)
    expect(shown).toContainEqual(expect.objectContaining({ event: 'server', server: dataverse.url, looks: 1 }))
    await untilFinished(id)
    expect(await service.batch(id)).toMatchObject({ done: 1, failed: 0 })
  })

  test('a worker that is asked to end parks its file, ends with 0, and the other machine goes on at the byte', async () => {
    await service.dataverse.set({ bytesPerSecond: SLOW })
    const id = await service.enqueue('handed', '5')
    await untilInFlight(id)
    // A worker's record may still name what it held a moment ago.
    const holder = (await service.workers.list()).find(({ holds }) => holds.some(({ batch }) => batch === id))
    const leaving = workers.find(({ child }) => child.pid === holder?.pid)
    expect(leaving).toBeDefined()
    if (leaving) expect(await ended(leaving)).toBe(0)
    await service.dataverse.set({ bytesPerSecond: 0 })
    await untilFinished(id)
    expect((await onlyReceipt('handed')).resumedFrom).toBeGreaterThan(0)
    expect(await service.dataverse.counters(5)).toMatchObject({ counted: 1 })
  })
})
