import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Change, Changes } from '../../src/ledger/change.ts'
import { eventsChannel } from '../../src/ledger/redis/keys.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { redisChanges } from '../../src/ledger/redis/redis-changes.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const batch = { id: 'b-1', destination: 'file:///data', servers: [], createdAt: 'now' }
let ledger: RedisLedger
let changes: Changes

beforeEach(async () => {
  ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
  changes = await redisChanges(redis.client, redis.prefix)
  await ledger.open(batch)
})
afterEach(() => changes.close())

it('every change of a batch’s state is heard, in order', async () => {
  const heard = gather(3)
  await ledger.setState(batch.id, 'paused', 'The disk is full.')
  await ledger.setState(batch.id, 'cancelled')
  await ledger.forget(batch.id)
  const states = ['paused', 'cancelled', 'forgotten']
  expect(await heard).toEqual(states.map((state) => ({ kind: 'batch', id: batch.id, state })))
})

it('feeding hears when first lines are planned, when the last one is, and when every one has ended, and not in between', async () => {
  const ready: Change = { kind: 'ready', id: batch.id }
  const mark: Change = { kind: 'batch', id: batch.id, state: 'open' }
  const heard = gather(6)
  await ledger.setPlanned(batch.id, 1, 10, false)
  await ledger.settle(batch.id, 0, { state: 'done', bytes: 10 })
  await ledger.setPlanned(batch.id, 3, 30, false)
  await ledger.setState(batch.id, 'open')
  await ledger.setPlanned(batch.id, 4, 40, true)
  await ledger.settle(batch.id, 1, { state: 'failed', bytes: 0 })
  await ledger.setState(batch.id, 'open')
  await ledger.settleAll(
    batch.id,
    [2, 3].map((n) => ({ n, state: 'kept', bytes: 10 }) as const),
  )
  await ledger.settleAll(batch.id, [{ n: 3, state: 'kept', bytes: 10 }])
  await ledger.setState(batch.id, 'open')
  expect(await heard).toEqual([ready, mark, ready, mark, ready, mark])
})

it('a message of another version is passed over', async () => {
  const heard = gather(1)
  await redis.client.publish(eventsChannel(redis.prefix), 'not JSON')
  await redis.client.publish(eventsChannel(redis.prefix), '{"kind":"news"}')
  await ledger.setState(batch.id, 'paused')
  expect(await heard).toEqual([{ kind: 'batch', id: batch.id, state: 'paused' }])
})

it('whoever was cut off is told that something may have been missed, and hears again', async () => {
  const missed = gather(1)
  await redis.client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  expect(await missed).toEqual([{ kind: 'missed' }])
  const heard = gather(1)
  await subscribed()
  await ledger.setState(batch.id, 'open')
  expect(await heard).toEqual([{ kind: 'batch', id: batch.id, state: 'open' }])
})

it('a listener that has left hears nothing', async () => {
  const some: Change[] = []
  const leave = changes.onChange((change) => some.push(change))
  leave()
  const heard = gather(1)
  await ledger.setState(batch.id, 'open')
  await heard
  expect(some).toEqual([])
})

function gather(count: number): Promise<Change[]> {
  return new Promise((resolve) => {
    const heard: Change[] = []
    changes.onChange((change) => {
      if (heard.push(change) === count) resolve(heard)
    })
  })
}

async function subscribed(): Promise<void> {
  const channel = eventsChannel(redis.prefix)
  while (Number((await redis.client.pubsub('NUMSUB', channel))[1]) === 0) await new Promise(setImmediate)
}
