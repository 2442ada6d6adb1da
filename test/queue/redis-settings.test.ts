import { expect, it } from 'vitest'
import type { RedisClient } from '../../src/ledger/redis/client.ts'
import { connect } from '../../src/queue/connection.ts'
import { checkRedis, memoryPressure } from '../../src/queue/redis-settings.ts'
import { socketUrl } from '../../src/queue/redis-url.ts'
import { useRedisServers } from './redis-servers.ts'

const servers = useRedisServers()

it('a Redis that may evict keys is refused, with the command that mends it', async () => {
  await using redis = await server('evicting', ['--maxmemory-policy', 'allkeys-lru', '--maxmemory', '100mb'])
  const refusal = checkRedis(redis.client)
  await expect(refusal).rejects.toMatchObject({ code: 'REDIS_MISCONFIGURED' })
  await expect(refusal).rejects.toThrow(/allkeys-lru.*`redis-cli CONFIG SET maxmemory-policy noeviction`/)
  await redis.client.config('SET', 'maxmemory-policy', 'noeviction')
  await expect(checkRedis(redis.client)).resolves.toMatchObject({ maxMemory: 104_857_600 })
})

it('a Redis without an append-only file is accepted with a warning, one with it without', async () => {
  await using plain = await server('plain', [])
  const { warnings, maxMemory } = await checkRedis(plain.client)
  expect(warnings).toEqual([expect.stringMatching(/append-only file.*appendonly yes/)])
  expect(maxMemory).toBeUndefined()
  await using durable = await server('durable', ['--appendonly', 'yes', '--appenddirname', 'aof'])
  expect((await checkRedis(durable.client)).warnings).toEqual([])
})

it('a managed Redis that forbids CONFIG is judged all the same', async () => {
  await using redis = await server('managed', ['--rename-command', 'CONFIG', '', '--maxmemory', '64mb'])
  await expect(redis.client.config('GET', 'maxmemory')).rejects.toThrow(/unknown command/)
  await expect(checkRedis(redis.client)).resolves.toMatchObject({ maxMemory: 67_108_864 })
})

it('memory pressure is the used part of maxmemory, and unknown without one', async () => {
  await using redis = await server('pressure', [])
  expect(await memoryPressure(redis.client)).toBeUndefined()
  await redis.client.config('SET', 'maxmemory', '20mb')
  const before = (await memoryPressure(redis.client)) ?? 1
  await redis.client.setrange('big', 10_000_000, 'x')
  const after = (await memoryPressure(redis.client)) ?? 0
  expect(after - before).toBeGreaterThan(0.4)
  expect(after).toBeLessThan(1)
})

it('the nodes of a cluster are all judged', async () => {
  const { ports } = await servers.cluster()
  const client = await connect({ url: `redis+cluster://127.0.0.1:${String(ports[0])}`, role: 'worker' })
  await expect(checkRedis(client)).resolves.toMatchObject({ maxMemory: undefined })
  const last = await connect({ url: `redis://127.0.0.1:${String(ports[2])}`, role: 'worker' })
  await last.config('SET', 'maxmemory-policy', 'volatile-ttl')
  await expect(checkRedis(client)).rejects.toMatchObject({ code: 'REDIS_MISCONFIGURED' })
  for (const one of [client, last]) one.disconnect()
})

async function server(name: string, settings: string[]): Promise<AsyncDisposable & { client: RedisClient }> {
  const socket = servers.path(`${name}.sock`)
  await servers.start(['--port', '0', '--unixsocket', socket, ...settings])
  const client = await connect({ url: socketUrl(socket), role: 'worker' })
  return { client, [Symbol.asyncDispose]: () => Promise.resolve().then(() => client.disconnect()) }
}
