import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Worker } from 'bullmq'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bundleJobId, type BundleJob } from '../../jobs/bundle.ts'
import type { ItemJob } from '../../jobs/item.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { addBundles, addItems, openQueues, type Queues } from '../../src/queue/queues.ts'
import { reclaim, type ReclaimOptions } from '../../src/queue/reclaim.ts'
import { forkProgram } from '../node-program.ts'
import { useRedis } from '../redis.ts'

const SERVER = 'https://data.example.org'
const CHILD = fileURLToPath(new URL('held-items.child.ts', import.meta.url))
const redis = useRedis()
let queues: Queues
let workers: Workers
let options: ReclaimOptions
const children: ChildProcess[] = []

beforeEach(() => {
  queues = openQueues({ connection: redis.client, prefix: redis.prefix })
  workers = new Workers(redis.client, redis.prefix)
  options = { connection: redis.client, workers, queues: [queues.in('public').items(SERVER)] }
})
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill))
  await queues.in('public').items(SERVER).obliterate({ force: true })
  for (const { id } of await workers.list()) await workers.remove(id)
  await queues.close()
})

it('the items of a killed process are handed back at once, and each only once', async () => {
  await addItems(queues.in('public').items(SERVER), jobs(4))
  const child = await worker()
  expect(await reclaim(options)).toEqual([])
  await kill(child)
  const taken = await Promise.all([reclaim(options), reclaim(options)])
  const lines = taken.flat().map(({ n }) => n)
  expect(lines.sort()).toEqual([0, 1, 2])
  expect(await queues.in('public').items(SERVER).getJobCounts('active', 'waiting')).toEqual({ active: 0, waiting: 4 })
  expect(await workers.list()).toEqual([])
  expect(await finishAll(4)).toEqual([0, 1, 2, 3])
})

it('the items of a living process, or of one that cannot be seen from here, are left alone', async () => {
  await addItems(queues.in('public').items(SERVER), jobs(3))
  const child = await worker()
  const [record] = await workers.list()
  if (!record) throw new Error('The worker did not register.')
  await workers.beat({ ...record, space: 'another machine, or container' })
  await kill(child)
  expect(await reclaim(options)).toEqual([])
  expect(await queues.in('public').items(SERVER).getActiveCount()).toBe(3)
  expect(await workers.list()).toHaveLength(1)
})

it('a process that got the number of a dead one does not stand in for it', async () => {
  await addItems(queues.in('public').items(SERVER), jobs(3))
  const child = await worker()
  const [record] = await workers.list()
  if (!record) throw new Error('The worker did not register.')
  await kill(child)
  await workers.beat({ ...record, ...(await ownProcess()), startTime: record.startTime })
  expect(await reclaim(options)).toHaveLength(3)
})

it('a bundle of a killed process is handed back, and says how often its process died', async () => {
  const bundle: BundleJob = { v: 1, batch: 'b', ns: [10, 11] }
  for (let crashes = 1; crashes <= 2; crashes++) {
    await addBundles(queues.in('public').items(SERVER), [bundle])
    await addItems(queues.in('public').items(SERVER), jobs(2))
    const child = await worker()
    await kill(child)
    await Promise.all([reclaim(options), reclaim(options)])
    const job = await queues.in('public').items(SERVER).getJob(bundleJobId(bundle))
    expect(job?.data).toEqual({ ...bundle, crashes })
  }
})

async function worker(): Promise<ChildProcess> {
  const child = forkProgram(CHILD, [redis.url, redis.prefix, SERVER])
  children.push(child)
  await once(child, 'message')
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

async function finishAll(count: number): Promise<number[]> {
  const done: number[] = []
  let finish = (): void => undefined
  const finished = new Promise<void>((resolve) => (finish = resolve))
  const process = ({ data }: { data: ItemJob }): Promise<void> => {
    if (done.push(data.n) === count) finish()
    return Promise.resolve()
  }
  const worker = new Worker<ItemJob>(queues.in('public').items(SERVER).name, process, {
    connection: redis.client,
    prefix: redis.prefix,
  })
  await finished
  await worker.close()
  return done.sort()
}

function jobs(count: number): ItemJob[] {
  return Array.from({ length: count }, (_, n) => ({ v: 1, batch: 'b', n }))
}
