import { beforeEach, expect, it } from 'vitest'
import { redisChanges } from '../../src/ledger/redis/redis-changes.ts'
import { Servers, type Hold } from '../../src/ledger/servers.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const LIMITS = { firstMs: 20_000, maxMs: 100_000 }
let servers: Servers
let server: string
let count = 0

beforeEach(() => {
  servers = new Servers(redis.client, redis.prefix)
  server = `https://s${(count += 1)}.example/dv`
})

it('a server that nobody spoke of may be asked freely', async () => {
  const state = { server, hold: undefined, looks: 0, concurrency: undefined, bandwidth: undefined }
  expect(await servers.get(server)).toEqual(state)
})

it('of many reports at once exactly one begins a back-off, and all agree on its end', async () => {
  const reports = await Promise.all(Array.from({ length: 50 }, () => throttled(server)))
  expect(reports.filter(({ began }) => began)).toHaveLength(1)
  for (const { waitMs, looks } of reports) {
    expect(looks).toBe(1)
    expect(waitMs).toBeGreaterThan(10_000)
    expect(waitMs).toBeLessThanOrEqual(20_000)
  }
  expect((await servers.get(server)).hold?.nextLookMs).toBeGreaterThan(10_000)
})

it('each further back-off doubles, up to the longest', async () => {
  const waits: number[] = []
  for (let i = 0; i < 5; i += 1) {
    waits.push((await throttled(server)).waitMs)
    await endBackoff()
  }
  for (const [i, wanted] of [20_000, 40_000, 80_000, 100_000, 100_000].entries()) {
    expect(waits[i]).toBeLessThanOrEqual(wanted)
    expect(waits[i]).toBeGreaterThanOrEqual(wanted * 0.75)
  }
})

it('the server’s own wish is never undercut, even when it comes during a back-off', async () => {
  expect((await throttled(server, 300_000)).waitMs).toBeGreaterThanOrEqual(300_000)
  const later = await throttled(server, 500_000)
  expect(later).toMatchObject({ began: false, looks: 1 })
  expect(later.waitMs).toBeGreaterThanOrEqual(500_000)
  expect((await throttled(server, 1000)).waitMs).toBeGreaterThan(400_000)
})

it('a success ends the series, but not one that was under way when the back-off began', async () => {
  await throttled(server)
  await servers.succeeded(server)
  expect(await servers.get(server)).toMatchObject({ looks: 1 })
  await endBackoff()
  await servers.succeeded(server)
  expect(await servers.get(server)).toMatchObject({ looks: 0, hold: undefined })
  expect((await throttled(server)).waitMs).toBeLessThanOrEqual(20_000)
})

it('limits and pause are set one by one and taken back', async () => {
  await servers.set(server, { concurrency: 2 })
  await servers.set(server, { paused: 'The installation is being moved.' })
  const hold = { by: 'person', reason: 'The installation is being moved.', nextLookMs: undefined }
  expect(await servers.get(server)).toMatchObject({ concurrency: 2, hold })
  await servers.set(server, { paused: null })
  expect(await servers.get(server)).toMatchObject({ concurrency: 2, hold: undefined })
})

it('an outage is over with the first success, not with its time', async () => {
  const { since } = await servers.hold(server, { by: 'outage', reason: 'It refused connections.', limits: LIMITS })
  await endBackoff()
  const hold = { by: 'outage', reason: 'It refused connections.', since, nextLookMs: 0 }
  expect(await servers.get(server)).toMatchObject({ hold })
  expect(await servers.hold(server, { by: 'outage', reason: 'again', limits: LIMITS })).toMatchObject({
    looks: 2,
    since,
  })
  await endBackoff()
  await servers.succeeded(server)
  expect(await servers.get(server)).toMatchObject({ hold: undefined })
})

it('a wish without end or sense is bounded', async () => {
  expect((await throttled(server, Number.MAX_VALUE)).waitMs).toBeLessThanOrEqual(3_600_000)
  expect((await throttled(`${server}/b`, -5)).waitMs).toBeLessThanOrEqual(20_000)
})

it('items that fail as in an outage are counted, each once, until something succeeds', async () => {
  expect(await servers.suspect(server, 'b-1')).toBe(1)
  expect(await servers.suspect(server, 'b-1')).toBe(1)
  expect(await servers.suspect(server, 'b-2')).toBe(2)
  await servers.succeeded(server)
  expect(await servers.suspect(server, 'b-3')).toBe(1)
})

it('every server with a state is listed', async () => {
  await servers.set(server, { concurrency: 1 })
  const other = `${server}/other`
  await throttled(other)
  const listed = (await servers.list()).map((state) => state.server)
  expect(listed).toEqual([...listed].sort())
  expect(listed).toEqual(expect.arrayContaining([server, other]))
})

it('fields of a server that are damaged are as good as none', async () => {
  const name = `${server}/damaged`
  await servers.set(name, { concurrency: 3, bandwidth: 1000 })
  await redis.client.hset(`${redis.prefix}:S:${name}`, {
    concurrency: 'many',
    since: 'x',
    by: 'nobody',
    throttles: '-1',
  })
  expect(await servers.get(name)).toMatchObject({ hold: undefined, looks: 0, concurrency: undefined, bandwidth: 1000 })
})

it('every process hears of it', async () => {
  const changes = await redisChanges(redis.client, redis.prefix)
  const heard = new Promise((resolve) => changes.onChange(resolve))
  await throttled(server)
  expect(await heard).toEqual({ kind: 'server', server })
  await changes.close()
})

function throttled(name: string, leastMs?: number): Promise<Hold> {
  return servers.hold(name, {
    by: 'throttle',
    reason: 'It asked for a pause.',
    limits: LIMITS,
    ...(leastMs !== undefined && { leastMs }),
  })
}

/** Lets a back-off end without waiting for it. */
async function endBackoff(): Promise<void> {
  await redis.client.hset(`${redis.prefix}:S:${server}`, 'until', '0')
}
