import { beforeEach, expect, it } from 'vitest'
import { serverKey } from '../../src/ledger/redis/keys.ts'
import { redisChanges } from '../../src/ledger/redis/redis-changes.ts'
import { Servers } from '../../src/ledger/servers.ts'
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
  const state = { server, waitMs: 0, throttles: 0, concurrency: undefined, bandwidth: undefined, paused: undefined }
  expect(await servers.get(server)).toEqual(state)
})

it('of many reports at once exactly one begins a back-off, and all agree on its end', async () => {
  const reports = await Promise.all(Array.from({ length: 50 }, () => servers.throttled(server, LIMITS)))
  expect(reports.filter(({ began }) => began)).toHaveLength(1)
  for (const { waitMs, throttles } of reports) {
    expect(throttles).toBe(1)
    expect(waitMs).toBeGreaterThan(10_000)
    expect(waitMs).toBeLessThanOrEqual(20_000)
  }
  expect((await servers.get(server)).waitMs).toBeGreaterThan(10_000)
})

it('each further back-off doubles, up to the longest', async () => {
  const waits: number[] = []
  for (let i = 0; i < 5; i += 1) {
    waits.push((await servers.throttled(server, LIMITS)).waitMs)
    await endBackoff()
  }
  for (const [i, wanted] of [20_000, 40_000, 80_000, 100_000, 100_000].entries()) {
    expect(waits[i]).toBeLessThanOrEqual(wanted)
    expect(waits[i]).toBeGreaterThanOrEqual(wanted * 0.75)
  }
})

it('the server’s own wish is never undercut, even when it comes during a back-off', async () => {
  expect((await servers.throttled(server, LIMITS, 300_000)).waitMs).toBeGreaterThanOrEqual(300_000)
  const later = await servers.throttled(server, LIMITS, 500_000)
  expect(later).toMatchObject({ began: false, throttles: 1 })
  expect(later.waitMs).toBeGreaterThanOrEqual(500_000)
  expect((await servers.throttled(server, LIMITS, 1000)).waitMs).toBeGreaterThan(400_000)
})

it('a success ends the series, but not one that was under way when the back-off began', async () => {
  await servers.throttled(server, LIMITS)
  await servers.succeeded(server)
  expect(await servers.get(server)).toMatchObject({ throttles: 1 })
  await endBackoff()
  await servers.succeeded(server)
  expect(await servers.get(server)).toMatchObject({ throttles: 0, waitMs: 0 })
  expect((await servers.throttled(server, LIMITS)).waitMs).toBeLessThanOrEqual(20_000)
})

it('limits and pause are set one by one and taken back', async () => {
  await servers.set(server, { concurrency: 2, bandwidth: 1024 })
  await servers.set(server, { paused: 'The installation is being moved.' })
  const set = { concurrency: 2, bandwidth: 1024, paused: 'The installation is being moved.' }
  expect(await servers.get(server)).toMatchObject(set)
  await servers.set(server, { paused: null, bandwidth: null })
  expect(await servers.get(server)).toMatchObject({ concurrency: 2, bandwidth: undefined, paused: undefined })
})

it('what an earlier version set, which nothing obeys any more, does no harm', async () => {
  await servers.set(server, { concurrency: 2 })
  await redis.client.hset(serverKey(redis.prefix, server), 'rateMax', 3, 'rateMs', 1000)
  expect(await servers.get(server)).toMatchObject({ server, concurrency: 2 })
})

it('every server with a state is listed', async () => {
  await servers.set(server, { concurrency: 1 })
  const other = `${server}/other`
  await servers.throttled(other, LIMITS)
  const listed = (await servers.list()).map((state) => state.server)
  expect(listed).toEqual([...listed].sort())
  expect(listed).toEqual(expect.arrayContaining([server, other]))
})

it('every process hears of it', async () => {
  const changes = await redisChanges(redis.client, redis.prefix)
  const heard = new Promise((resolve) => changes.onChange(resolve))
  await servers.throttled(server, LIMITS)
  expect(await heard).toEqual({ kind: 'server', server })
  await changes.close()
})

/** Lets a back-off end without waiting for it. */
async function endBackoff(): Promise<void> {
  await redis.client.hset(`${redis.prefix}:S:${server}`, 'until', '0')
}
