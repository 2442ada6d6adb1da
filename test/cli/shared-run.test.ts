import { afterEach, expect, it } from 'vitest'
import { somebodyWorks } from '../../src/cli/shared-run.ts'
import { workerKey } from '../../src/ledger/redis/keys.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const batch = (servers: readonly string[], tokenServers: readonly string[], destination = 'file:///srv/a') => ({
  servers,
  tokenServers,
  destination,
})
const [A, B] = ['https://a.example.org', 'https://b.example.org']
afterEach(async () => {
  const workers = new Workers(redis.client, redis.prefix)
  for (const { id } of await workers.list()) await workers.remove(id)
})

it('a worker of another machine counts while it is heard, and no longer than its lease once it is silent', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  const told = { id: 'w', tokens: [], scopes: ['public'], since: 'x', at: 'x', holds: [], destinations: [] }
  await workers.beat({ ...(await ownProcess()), ...told, space: 'another machine' })
  expect(await somebodyWorks({ workers }, batch([A], []))).toBe(true)
  expect(await somebodyWorks({ workers }, batch([A], [A]))).toBe(false)
  await redis.client.pexpire(workerKey(redis.prefix, 'w'), 300_000 - 31_000)
  expect(await somebodyWorks({ workers }, batch([A], []))).toBe(false)
})

it('a worker counts only for the servers that it fetches from', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  const told = { tokens: [], scopes: ['public'], since: 'x', at: 'x', holds: [], destinations: [] }
  await workers.beat({ ...(await ownProcess()), ...told, id: 'w', serves: [{ scope: 'public', servers: [A] }] })
  expect(await somebodyWorks({ workers }, batch([A], []))).toBe(true)
  expect(await somebodyWorks({ workers }, batch([A, B], []))).toBe(false)
  await workers.beat({ ...(await ownProcess()), ...told, id: 'v', serves: [{ scope: 'public', servers: [B] }] })
  expect(await somebodyWorks({ workers }, batch([A, B], []))).toBe(true)
})

it('a worker with --to counts only for what goes there', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  const told = { tokens: [], scopes: ['public'], since: 'x', at: 'x', holds: [], destinations: [] }
  await workers.beat({ ...(await ownProcess()), ...told, id: 'w', only: ['file:///srv/a'] })
  const works = (destination: string) => somebodyWorks({ workers }, batch([A], [], destination))
  expect(await works('file:///srv/a')).toBe(true)
  expect(await works('file:///srv/a/below')).toBe(true)
  expect(await works('file:///srv/ab')).toBe(false)
})
