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
  await ledger.settle(batch.id, 0, { state: 'failed', bytes: 0, error: { code: 'X', message: 'x', path: 'x' } })
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

it('a server that lost its scripts gets them again', async () => {
  const ledger = make()
  await ledger.open(batch)
  await redis.client.script('FLUSH')
  expect(await ledger.settle(batch.id, 1, { state: 'done', bytes: 1 })).toBe(true)
  await ledger.forget(batch.id)
})
