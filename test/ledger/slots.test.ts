import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { redisChanges } from '../../src/ledger/redis/redis-changes.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { Slots, type Grant } from '../../src/ledger/slots.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
let slots: Slots
let servers: Servers
let server: string
let count = 0

beforeEach(() => {
  slots = new Slots(redis.client, { usualLimit: 4, prefix: redis.prefix })
  servers = new Servers(redis.client, redis.prefix)
  server = `https://slots${(count += 1)}.example`
})

const claim = (process: string, wanted: number, inUse = 0): Promise<Grant> =>
  slots.claim(server, process, { wanted, inUse })

describe('one process', () => {
  it('gets what it can use, and never more than the limit', async () => {
    expect(await claim('a', 2)).toMatchObject({ granted: 2, share: 2, budget: 4 })
    expect(await claim('a', 9, 2)).toMatchObject({ granted: 4, share: 4 })
  })

  it('gets what it does not need only as far as others leave it', async () => {
    expect(await slots.claim(server, 'a', { wanted: 4, needed: 1, inUse: 0 })).toMatchObject({ granted: 4, share: 4 })
    expect(await claim('b', 2)).toMatchObject({ granted: 0, share: 2 })
    expect(await slots.claim(server, 'a', { wanted: 4, needed: 1, inUse: 4 })).toMatchObject({ granted: 4, share: 2 })
    expect(await slots.claim(server, 'a', { wanted: 4, needed: 1, inUse: 2 })).toMatchObject({ granted: 2, share: 2 })
    expect(await claim('b', 2)).toMatchObject({ granted: 2 })
  })

  it('keeps what is in use when the limit is lowered, and is told to give up the rest', async () => {
    await claim('a', 4)
    await servers.set(server, { concurrency: 1 })
    expect(await claim('a', 4, 4)).toMatchObject({ granted: 4, share: 1, budget: 1 })
    expect(await claim('a', 4, 1)).toMatchObject({ granted: 1, share: 1 })
  })

  it('gets nothing while the server is paused or asks for a pause', async () => {
    await servers.set(server, { paused: 'The installation is being moved.' })
    expect(await claim('a', 4)).toMatchObject({ granted: 0, budget: 0 })
    await servers.set(server, { paused: null })
    await servers.hold(server, { by: 'throttle', reason: 'busy', limits: { firstMs: 60_000, maxMs: 60_000 } })
    expect(await claim('a', 4)).toMatchObject({ granted: 0, budget: 0, troubled: true })
  })
})

it('a server that was away is probed by one stream at a time until it answers', async () => {
  await servers.hold(server, { by: 'outage', reason: 'refused', limits: { firstMs: 0, maxMs: 0 } })
  expect(await claim('a', 4)).toMatchObject({ granted: 1, budget: 1 })
  expect(await claim('b', 4)).toMatchObject({ granted: 0, budget: 1 })
  await servers.succeeded(server)
  expect(await claim('a', 2, 1)).toMatchObject({ granted: 2, budget: 4, troubled: false })
})

describe('several processes', () => {
  it('divide the limit evenly as soon as those who had more have given it up', async () => {
    await claim('a', 9)
    expect(await claim('b', 9)).toMatchObject({ granted: 0, share: 2 })
    expect(await claim('a', 9, 4)).toMatchObject({ granted: 4, share: 2 })
    await claim('a', 9, 2)
    expect(await claim('b', 9)).toMatchObject({ granted: 2, share: 2 })
  })

  it('leave to others what they do not want', async () => {
    await claim('a', 1)
    expect(await claim('b', 9)).toMatchObject({ granted: 3 })
  })

  it('get what a process leaves that ends, or has not been heard for the time of a lease', async () => {
    await claim('a', 9)
    await slots.release(server, 'a')
    expect(await claim('b', 9)).toMatchObject({ granted: 4 })
    const hasty = new Slots(redis.client, { usualLimit: 4, leaseMs: 0, prefix: redis.prefix })
    await untilLater()
    expect(await hasty.claim(server, 'c', { wanted: 9, inUse: 0 })).toMatchObject({ granted: 4 })
  })

  it('take turns at a single slot, beginning with whoever waited longest', async () => {
    await servers.set(server, { concurrency: 1 })
    await claim('a', 2)
    await untilLater()
    await claim('b', 2)
    // In its turn nobody takes it away, not even between two files.
    expect(await claim('a', 2, 0)).toMatchObject({ granted: 1, share: 1 })
    const [wanted, seen, since] = ['2', String(Date.now()), '1']
    await redis.client.hset(`${redis.prefix}:slots:${server}`, 'a', `1 ${wanted} ${seen} ${since}`)
    await redis.client.hset(`${redis.prefix}:slots:${server}`, 'b', `0 ${wanted} ${seen} 0`)
    expect(await claim('a', 2, 1)).toMatchObject({ granted: 1, share: 0 })
    await claim('a', 2, 0)
    expect(await claim('b', 2)).toMatchObject({ granted: 1 })
  })

  it('hear that a slot became free, and that somebody waits for one', async () => {
    const changes = await redisChanges(redis.client, redis.prefix)
    const heard = (): Promise<unknown> => new Promise((resolve) => changes.onChange(resolve))
    await claim('a', 4)
    const waits = heard()
    await claim('b', 4)
    expect(await waits).toEqual({ kind: 'server', server })
    const free = heard()
    await claim('a', 4, 2)
    expect(await free).toEqual({ kind: 'server', server })
    await changes.close()
  })

  it('never have more than the limit together, and end with fair shares, whatever they do', async () => {
    const step = fc.record({ process: fc.constantFrom('a', 'b', 'c', 'd'), wanted: fc.nat(12), gone: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 9 }), fc.array(step, { maxLength: 40 }), async (limit, steps) => {
        server = `https://slots${(count += 1)}.example`
        await servers.set(server, { concurrency: limit })
        const streams = new Map<string, { wanted: number; open: number }>()
        const act = async (process: string): Promise<void> => {
          const one = streams.get(process)
          if (!one) return
          const { granted, share } = await claim(process, Math.max(one.wanted, one.open), one.open)
          // As a process does: it opens what it may, and drops what is above its share.
          one.open = Math.min(Math.max(one.wanted, 0), one.open > share ? share : granted)
          expect([...streams.values()].reduce((sum, { open }) => sum + open, 0)).toBeLessThanOrEqual(limit)
        }
        for (const { process, wanted, gone } of steps) {
          if (gone) {
            streams.delete(process)
            await slots.release(server, process)
          } else {
            streams.set(process, { wanted, open: streams.get(process)?.open ?? 0 })
            await act(process)
          }
        }
        for (let round = 0; round < 4; round += 1) for (const process of streams.keys()) await act(process)
        const all = [...streams.values()]
        const total = all.reduce((sum, { open }) => sum + open, 0)
        expect(total).toBe(
          Math.min(
            limit,
            all.reduce((sum, { wanted }) => sum + wanted, 0),
          ),
        )
        const short = all.filter(({ open, wanted }) => open < wanted).map(({ open }) => open)
        // Nobody who waits has less than another one has, give or take what cannot be divided.
        for (const least of short) for (const { open } of all) expect(open).toBeLessThanOrEqual(least + 1)
      }),
      { numRuns: 60 },
    )
  })
})

/** Until the clock of Redis shows another millisecond. */
async function untilLater(): Promise<void> {
  const [seconds, micros] = await redis.client.time()
  const at = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
  for (;;) {
    const [s, m] = await redis.client.time()
    if (Number(s) * 1000 + Math.floor(Number(m) / 1000) > at) return
  }
}

it('a dead process loses its place after its lease, though the clock of Redis was set back a day', async () => {
  const leased = new Slots(redis.client, { usualLimit: 4, leaseMs: 300, prefix: redis.prefix })
  const key = `${redis.prefix}:slots:${server}`
  await leased.claim(server, 'dead', { wanted: 4, inUse: 4 })
  const [granted, wanted, seen, since] = ((await redis.client.hget(key, 'dead')) ?? '').split(' ').map(Number)
  const tomorrow = 86_400_000
  await redis.client.hset(key, 'dead', [granted, wanted, (seen ?? 0) + tomorrow, (since ?? 0) + tomorrow].join(' '))
  expect(await leased.claim(server, 'a', { wanted: 4, inUse: 0 })).toMatchObject({ granted: 0 })
  await expect
    .poll(async () => (await leased.claim(server, 'a', { wanted: 4, inUse: 0 })).granted, { interval: 50 })
    .toBe(4)
})

it('a hold lasts no longer than it was to, though the clock of Redis was set back a day', async () => {
  await servers.hold(server, { by: 'throttle', reason: 'busy', limits: { firstMs: 200, maxMs: 200 } })
  const key = `${redis.prefix}:S:${server}`
  await redis.client.hincrby(key, 'until', 86_400_000)
  expect((await servers.get(server)).hold?.nextLookMs).toBeLessThanOrEqual(200)
  await expect.poll(async () => (await claim('a', 1)).granted, { interval: 50 }).toBe(1)
})

it('fields of a server that cannot be read count as absent', async () => {
  const broken = {
    concurrency: 'many',
    bandwidth: '-1',
    until: 'soon',
    throttles: 'x',
    since: 'y',
    by: 'nobody',
    pausedAt: 'z',
  }
  await redis.client.hset(`${redis.prefix}:S:${server}`, broken)
  expect(await servers.get(server)).toMatchObject({ hold: undefined, concurrency: undefined, bandwidth: undefined })
  expect(await claim('a', 9)).toMatchObject({ granted: 4 })
})
