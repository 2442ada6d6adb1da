import { BatchLogs } from '../../src/ledger/batch-logs.ts'
import { expect, it } from 'vitest'
import { batchKeys } from '../../src/ledger/redis/keys.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { describeLedger } from '../contracts/ledger.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const make = (): RedisLedger => new RedisLedger(redis.client, { prefix: redis.prefix })
describeLedger('the ledger in Redis', make)

const batch = { id: 'big', destination: 'file:///data', servers: ['https://a.example'], createdAt: 'now' }

it('ten million items take 2.5 MB and the first open one is still found', async () => {
  const ledger = make()
  await ledger.open(batch)
  const keys = batchKeys(redis.prefix, batch.id)
  await redis.client.set(keys.settled, Buffer.alloc(1_250_000, 0xff))
  expect(await ledger.firstOpen(batch.id)).toBe(10_000_000)
  await redis.client.setbit(keys.settled, 9_999_997, 0)
  expect(await ledger.firstOpen(batch.id)).toBe(9_999_997)
  await ledger.settle(batch.id, 9_999_997, { state: 'failed', bytes: 0 })
  expect(await redis.client.strlen(keys.settled)).toBe(1_250_000)
  expect(await redis.client.strlen(keys.failed)).toBe(1_250_000)
  const failed: number[] = []
  for await (const n of ledger.failed(batch.id)) failed.push(n)
  expect(failed).toEqual([9_999_997])
  await ledger.forget(batch.id)
})

it('every key carries the prefix and its hash tag, so that a cluster keeps them together', async () => {
  const ledger = make()
  await ledger.open(batch)
  await ledger.crashed(batch.id, 1)
  await ledger.keepPart(batch.id, 2, 5)
  await ledger.settle(batch.id, 0, { state: 'failed', bytes: 0, error: { code: 'X', message: 'x', path: 'x' } })
  await ledger.settle(batch.id, 1, { state: 'waiting', bytes: 0 })
  await ledger.setNextLook(batch.id, 'https://a.example', 1)
  const line = { at: batch.createdAt, host: 'h', pid: 1, level: 'info', text: 'x' } as const
  await new BatchLogs(redis.client, redis.prefix).add(batch.id, [line])
  const keys = Object.values(batchKeys(redis.prefix, batch.id))
  expect(await redis.client.exists(...keys)).toBe(keys.length)
  expect(keys.every((key) => key.startsWith(`${redis.prefix}:`))).toBe(true)
  await ledger.forget(batch.id)
  expect(await redis.client.exists(...keys)).toBe(0)
})

it('what is damaged in Redis counts as unknown, is told, and is replaced when its batch is opened again', async () => {
  const told = new Set<string>()
  const ledger = new RedisLedger(redis.client, { prefix: redis.prefix, onDamaged: (id) => told.add(id) })
  const { batch: key } = batchKeys(redis.prefix, batch.id)
  const damages = [
    () => redis.client.hset(key, { servers: '[' }),
    () => redis.client.hset(key, { planned: 'many' }),
    () => redis.client.hdel(key, 'destination'),
    () => redis.client.del(key).then(() => redis.client.set(key, 'text')),
  ]
  for (const damage of damages) {
    await ledger.open(batch)
    await ledger.setPlanned(batch.id, 3, 30, true)
    await damage()
    expect(await ledger.get(batch.id)).toBeUndefined()
    expect((await ledger.list()).map(({ id }) => id)).not.toContain(batch.id)
    await expect(ledger.summary(batch.id)).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' })
    expect([...told]).toEqual([batch.id])
    await ledger.open(batch)
    expect(await ledger.get(batch.id)).toMatchObject({ state: 'open', servers: batch.servers, planned: 0 })
    told.clear()
  }
  // One that is whole stays as it is.
  await ledger.setPlanned(batch.id, 3, 30, true)
  await ledger.open(batch)
  expect(await ledger.get(batch.id)).toMatchObject({ planned: 3 })
  await ledger.forget(batch.id)
})

it('parts that are damaged in Redis hide nothing of what is held now', async () => {
  const ledger = make()
  await ledger.open(batch)
  await redis.client.hset(batchKeys(redis.prefix, batch.id).parts, { 1: 'many', none: 5, '99999999999': 5 })
  const held = [2, Number.MAX_SAFE_INTEGER].map((n) => ({ n, bytes: 7 }))
  expect(await ledger.parts(batch.id, held)).toEqual(
    new Map([
      [1, 0],
      [2, 7],
    ]),
  )
  await ledger.forget(batch.id)
})

it('a server that lost its scripts gets them again', async () => {
  const ledger = make()
  await ledger.open(batch)
  await redis.client.script('FLUSH')
  expect(await ledger.settle(batch.id, 1, { state: 'done', bytes: 1 })).toBe(true)
  await ledger.forget(batch.id)
})

it('an entry that cannot be read is told and left out, and is made anew when its batch is opened', async () => {
  const malformed: string[] = []
  const ledger = new RedisLedger(redis.client, { prefix: redis.prefix, onDamaged: (id) => malformed.push(id) })
  await ledger.open(batch)
  const key = (id: string): string => batchKeys(redis.prefix, id).batch
  const whole = { destination: 'file:///x', servers: '[]', createdAt: 'now', state: 'open' }
  const broken: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'no-fields': { state: 'open' },
    'no-list': { ...whole, servers: '{not json' },
    'no-state': { ...whole, state: 'whatever' },
    'too-long': { ...whole, planned: '1e300' },
    '../../etc': whole,
  }
  for (const [id, fields] of Object.entries(broken)) {
    await redis.client.sadd(`${redis.prefix}:L`, id)
    await redis.client.hset(key(id), fields)
  }
  await redis.client.sadd(`${redis.prefix}:L`, 'no-hash')
  await redis.client.set(key('no-hash'), 'text')
  const listed = (await ledger.list()).map(({ id }) => id)
  expect(listed).toContain(batch.id)
  for (const id of [...Object.keys(broken), 'no-hash']) expect(listed).not.toContain(id)
  expect(malformed.sort()).toEqual([...Object.keys(broken), 'no-hash'].sort())
  for (const id of ['no-fields', 'no-hash']) {
    await ledger.open({ ...batch, id })
    expect(await ledger.get(id)).toMatchObject({ id, state: 'open', destination: batch.destination })
  }
  await redis.client.hset(batchKeys(redis.prefix, batch.id).counters, { done: 'x', failed: '-1' })
  expect(await ledger.summary(batch.id)).toMatchObject({ done: 0, failed: 0 })
  for (const id of [...Object.keys(broken), 'no-hash', batch.id]) await ledger.forget(id)
})

it('an owner that cannot be read, or was heard in a future that the clock was set back from, keeps nobody away for long', async () => {
  const ledger = make()
  await ledger.open(batch)
  const owner = { id: 'a', host: 'h', space: 's', pid: 7, startTime: '1' }
  const key = batchKeys(redis.prefix, batch.id).batch
  await redis.client.hset(key, { ownerId: 'x', ownerAt: String(Date.now()), owner: '{not json' })
  expect(await ledger.attach(batch.id, owner)).toBeUndefined()
  await redis.client.hincrby(key, 'ownerAt', 86_400_000)
  expect(await ledger.attach(batch.id, { ...owner, id: 'b' })).toEqual(owner)
  expect(Number(await redis.client.hget(key, 'ownerAt'))).toBeLessThanOrEqual(Date.now() + 1_000)
  await ledger.forget(batch.id)
})
