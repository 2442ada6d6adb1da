import { mkdir, readdir } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { Started } from './cli.ts'
import { startService, until, type Service } from './service.ts'
import { SMALL_FILES_PID, smallFiles } from './small-files.ts'

const SMALL = 20
const PREFIX = '{dataferry}'
let service: Service
let running: Started[] = []
beforeAll(async () => {
  service = await startService({ world: smallFiles(SMALL) })
})
afterAll(() => service[Symbol.asyncDispose]())
afterEach(async () => {
  for (const { child } of running) child.kill('SIGTERM')
  await Promise.all(running.map(({ ended }) => ended))
  running = []
  await service.dataverse.set({ latencyMs: 0 })
})

function work(...args: string[]): Started {
  const started = service.work(0, ...args)
  running.push(started)
  return started
}

async function plant(id: string, fields: Readonly<Record<string, string>>): Promise<void> {
  await service.client.sadd(`${PREFIX}:L`, id)
  await service.client.hset(`${PREFIX}:L:${id}`, fields)
}

it('what somebody else wrote into Redis is left out with a warning: status, run and work go on, and nothing is made anywhere', async () => {
  const { client, queues, dataverse } = service
  const [empty, outside] = [service.at('empty'), service.at('outside')]
  for (const folder of [empty, outside]) await mkdir(folder, { recursive: true })
  const whole = {
    ...{ state: 'open', attached: '0', planned: '5', planComplete: '1', createdAt: 'now' },
    servers: JSON.stringify([dataverse.url]),
  }
  await plant('planted', { ...whole, destination: pathToFileURL(empty).href })
  await plant('../../outside', { ...whole, destination: pathToFileURL(empty).href })
  await plant('torn', { state: 'open' })
  await client.sadd(`${PREFIX}:W`, 'torn')
  await client.set(`${PREFIX}:W:torn`, '{not json', 'PX', 60_000)
  const items = queues.in('public').items(dataverse.url)
  const opts = { attempts: 1_000 }
  const strange = [
    { v: 9 },
    { v: 1, batch: '../../outside', n: 0 },
    { v: 1, batch: 'planted', n: 0 },
    { v: 1, batch: 'planted', n: -1 },
  ]
  for (const [i, data] of strange.entries()) await items.add('item', data as never, { ...opts, jobId: `strange-${i}` })
  await items.add('item', { v: 1, batch: 'b', n: 1 }, { ...opts, jobId: 'torn' })
  await client.hset(items.toKey('torn'), 'data', '{not json')
  await queues.in('public').feed.add('feed', { v: 1, batch: 'no/such', server: 7 } as never, opts)
  await queues.in('public').control.add('report', { v: 1, task: 'erase', batch: 'x' } as never, opts)

  const status = await service.run(0, 'status')
  expect(status.code).toBe(0)
  expect(status.stderr).toMatch(/batch torn cannot be read: it is left out/)
  const worker = work()
  const id = await service.enqueue('real', SMALL_FILES_PID)
  // Lines that nobody planned: in a queue of the batch's own server, and by a count that Redis was told.
  await items.add('item', { v: 1, batch: id, n: 4_000_000 }, { ...opts, jobId: `${id}-4000000` })
  await until('finished', async () => (await service.batch(id)).state === 'finished')
  expect(await service.batch(id)).toMatchObject({ planned: SMALL, done: SMALL, failed: 0 })
  expect(await service.outcomes('real')).toHaveLength(SMALL)
  await until('the strange jobs are gone', async () => {
    const left = await items.getJobCounts('waiting', 'active', 'delayed')
    return Object.values(left).reduce((sum, count) => sum + count, 0) <= 1
  })
  const { code, stdout } = await service.run(1, 'run', SMALL_FILES_PID, '--to', service.at('own'))
  expect(stdout).toContain(`All ${SMALL} files are there`)
  expect(code).toBe(0)
  expect(worker.child.exitCode).toBeNull()
  for (const folder of [empty, outside]) expect(await readdir(folder)).toEqual([])
  for (const name of ['planted', '../../outside', 'torn']) {
    await client.srem(`${PREFIX}:L`, name)
    await client.del(`${PREFIX}:L:${name}`)
  }
  for (const job of await items.getJobs(['waiting', 'delayed'])) await job.remove()
})

it('with --to a worker works for the destinations that are named and those below them, and leaves others to others', async () => {
  const [here, there] = [
    await service.enqueue('mine/a', SMALL_FILES_PID),
    await service.enqueue('others', SMALL_FILES_PID),
  ]
  const narrow = work('--to', service.at('mine'), '--until-done')
  const { code, stderr } = await narrow.ended
  expect(code).toBe(0)
  expect(stderr).toContain(`${there} is left out: its destination ${service.at('others')} is none of --to.`)
  expect(await service.batch(here)).toMatchObject({ state: 'finished', done: SMALL })
  expect(await service.batch(there)).toMatchObject({ state: 'open', done: 0, failed: 0 })
  const other = work('--to', service.at('others'), '--to', service.at('nowhere'), '--until-done')
  expect((await other.ended).code).toBe(0)
  expect(await service.batch(there)).toMatchObject({ state: 'finished', done: SMALL })
})

it('when the worker dies on which run --share relied, the command works itself', async () => {
  await service.dataverse.set({ latencyMs: 200 })
  const worker = work('--jobs', '1')
  await until('a worker', async () => (await service.workers.list()).length === 1)
  const run = service.run(1, 'run', SMALL_FILES_PID, '--to', service.at('shared'), '--share')
  await until('in flight', async () => (await service.held()).length > 0)
  worker.child.kill('SIGKILL')
  await service.dataverse.set({ latencyMs: 0 })
  const { code, stdout, stderr } = await run
  expect(stderr).toContain('No worker is running: this command works until its batch has ended.')
  expect(stdout).toContain(`All ${SMALL} files are there`)
  expect(code).toBe(0)
})

it('jobs that wait for a time go on in mid-run, though the wall clock was set back a day', async () => {
  await service.dataverse.set({ latencyMs: 100 })
  work('--jobs', '1')
  const id = await service.enqueue('clock', SMALL_FILES_PID)
  await until('some files', async () => (await service.batch(id)).done > 2)
  // What a clock that is set back does to the jobs that wait: they are a day away.
  const { keys } = service.queues.in('public').feed
  await until('the feeding of the batch is a day away', async () => {
    for (const job of await service.client.zrange(keys['delayed'] ?? '', '0', '-1')) {
      await service.client.zadd(keys['delayed'] ?? '', 'XX', String((Date.now() + 86_400_000) * 0x1000), job)
    }
    const [, score] = await service.client.zrange(keys['delayed'] ?? '', '0', '0', 'WITHSCORES')
    return Number(score ?? 0) / 0x1000 > Date.now() + 80_000_000
  })
  await until('finished', async () => (await service.batch(id)).state === 'finished')
  expect(await service.batch(id)).toMatchObject({ done: SMALL, failed: 0 })
})
