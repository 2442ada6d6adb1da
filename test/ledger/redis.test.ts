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

it('a server that lost its scripts gets them again', async () => {
  const ledger = make()
  await ledger.open(batch)
  await redis.client.script('FLUSH')
  expect(await ledger.settle(batch.id, 1, { state: 'done', bytes: 1 })).toBe(true)
  await ledger.forget(batch.id)
})
