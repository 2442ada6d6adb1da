import { expect, it } from 'vitest'
import { workerKey, workersKey } from '../../src/ledger/redis/keys.ts'
import { Workers, type WorkerRecord } from '../../src/ledger/workers.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const held = { batch: 'b', n: 1, path: 'a/b.csv', bytes: 5, size: 10 }
const record: WorkerRecord = {
  id: 'w1',
  host: 'here',
  space: 'boot-1',
  pid: 42,
  startTime: '4711',
  tokens: ['t1', 't2'],
  scopes: ['public'],
  since: '2026-01-01T00:00:00.000Z',
  at: '2026-01-01T00:00:01.000Z',
  holds: [held],
  destinations: [],
}

it('whoever beats is listed with what it holds, as it said last', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  expect(await workers.list()).toEqual([])
  await workers.beat(record)
  await workers.beat({ ...record, holds: [] })
  expect(await workers.list()).toMatchObject([{ ...record, holds: [] }])
  await workers.remove('w1')
  expect(await workers.list()).toEqual([])
})

it('whoever is silent for five minutes is forgotten', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  await workers.beat(record)
  const key = workerKey(redis.prefix, 'w1')
  expect(await redis.client.pttl(key)).toBeGreaterThan(290_000)
  await redis.client.del(key)
  expect(await workers.list()).toEqual([])
  expect(await redis.client.scard(workersKey(redis.prefix))).toBe(0)
})

it('a record that is none is passed over', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  await workers.beat(record)
  await workers.beat({ ...record, id: 'w2' })
  for (const text of ['{', '{"id":1}', 'null']) {
    await redis.client.set(workerKey(redis.prefix, 'w2'), text)
    expect((await workers.list()).map(({ id }) => id)).toEqual(['w1'])
  }
  await workers.remove('w2')
})

it('a process with thousands of items tells of a few', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  await workers.beat({ ...record, holds: Array.from({ length: 3000 }, (_, n) => ({ ...held, n })) })
  expect((await workers.list())[0]?.holds).toHaveLength(50)
})

it('how long a process is silent is told by the clock of Redis, and measured anew when that was set back a day', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  await workers.beat(record)
  const key = workerKey(redis.prefix, 'w1')
  await redis.client.pexpire(key, 300_000 - 45_000)
  expect((await workers.list())[0]?.silentMs).toBeGreaterThanOrEqual(45_000)
  await redis.client.pexpire(key, 300_000 + 86_400_000)
  expect((await workers.list())[0]?.silentMs).toBe(0)
  expect(await redis.client.pttl(key)).toBeLessThanOrEqual(300_000)
  await workers.remove('w1')
})

it('a record that cannot be read hides nobody else', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  await workers.beat(record)
  for (const [id, text] of [
    ['w2', '{not json'],
    ['w3', '{"id":7}'],
  ] as const) {
    await redis.client.sadd(workersKey(redis.prefix), id)
    await redis.client.set(workerKey(redis.prefix, id), text, 'PX', 60_000)
  }
  await redis.client.sadd(workersKey(redis.prefix), 'w4')
  await redis.client.hset(workerKey(redis.prefix, 'w4'), 'a', 'b')
  expect((await workers.list()).map(({ id }) => id)).toEqual(['w1'])
  for (const id of ['w1', 'w2', 'w3', 'w4']) await workers.remove(id)
})
