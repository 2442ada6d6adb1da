import { expect, it } from 'vitest'
import { Slots } from '../../src/ledger/slots.ts'
import { redisChanges } from '../../src/ledger/redis/redis-changes.ts'
import { QuestionSlots } from '../../workers/question-slots.ts'
import { never } from '../contracts/sink-bytes.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const SERVER = 'https://demo.invalid'
const alive = (): Promise<boolean> => Promise.resolve(false)

it('two commands that ask a server share its streams with one another, and give them back', async () => {
  const changes = await redisChanges(redis.client, redis.prefix)
  const slots = new Slots(redis.client, { usualLimit: 1, prefix: redis.prefix })
  const of = (id: string): QuestionSlots => new QuestionSlots({ slots, changes, id, isDead: alive })
  {
    await using first = of('a')
    await using second = of('b')
    const slot = await first.takeSlot(SERVER, never)
    let admitted = false
    const waiting = second.takeSlot(SERVER, never).then((got) => {
      admitted = true
      return got
    })
    const stop = new AbortController()
    const calledOff = second.takeSlot(SERVER, stop.signal)
    stop.abort(new Error('parked'))
    await expect(calledOff).rejects.toThrow('parked')
    expect(admitted).toBe(false)
    slot.release()
    ;(await waiting).release()
  }
  expect(await redis.client.hlen(`${redis.prefix}:slots:${SERVER}`)).toBe(0)
  await changes.close()
})

it('a command whose Redis fails hears of it instead of waiting', async () => {
  const slots = {
    claim: () => Promise.reject(new Error('Redis is away.')),
    release: () => Promise.resolve(),
    list: () => Promise.resolve([]),
  }
  const changes = { onChange: () => () => undefined }
  await using asking = new QuestionSlots({ slots, changes, id: 'a', isDead: alive })
  await expect(asking.takeSlot(SERVER, never)).rejects.toThrow('Redis is away.')
})

it('what a killed process held is free at once, and not when its lease ends', async () => {
  const changes = await redisChanges(redis.client, redis.prefix)
  const slots = new Slots(redis.client, { usualLimit: 2, prefix: redis.prefix })
  await slots.claim(SERVER, 'killed', { wanted: 2, inUse: 2 })
  const isDead = (process: string): Promise<boolean> => Promise.resolve(process === 'killed')
  {
    await using asking = new QuestionSlots({ slots, changes, id: 'next', isDead })
    ;(await asking.takeSlot(SERVER, never)).release()
    expect((await slots.list(SERVER)).map(({ process }) => process)).toEqual(['next'])
  }
  await changes.close()
})
