import { afterEach, expect, it } from 'vitest'
import { somebodyWorks } from '../../src/cli/shared-run.ts'
import { workerKey } from '../../src/ledger/redis/keys.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const [A, B] = ['https://a.example.org', 'https://b.example.org']
afterEach(async () => {
  const workers = new Workers(redis.client, redis.prefix)
  for (const { id } of await workers.list()) await workers.remove(id)
})

it('a worker of another machine counts while it is heard, and no longer than its lease once it is silent', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  const told = { id: 'w', tokens: [], scopes: ['public'], since: 'x', at: 'x', holds: [], destinations: [] }
  await workers.beat({ ...(await ownProcess()), ...told, space: 'another machine' })
  expect(await somebodyWorks({ workers }, { servers: [A], tokenServers: [] })).toBe(true)
  expect(await somebodyWorks({ workers }, { servers: [A], tokenServers: [A] })).toBe(false)
  await redis.client.pexpire(workerKey(redis.prefix, 'w'), 300_000 - 31_000)
  expect(await somebodyWorks({ workers }, { servers: [A], tokenServers: [] })).toBe(false)
})

it('a worker counts only for the servers that it fetches from', async () => {
  const workers = new Workers(redis.client, redis.prefix)
  const told = { tokens: [], scopes: ['public'], since: 'x', at: 'x', holds: [], destinations: [] }
  await workers.beat({ ...(await ownProcess()), ...told, id: 'w', serves: [{ scope: 'public', servers: [A] }] })
  expect(await somebodyWorks({ workers }, { servers: [A], tokenServers: [] })).toBe(true)
  expect(await somebodyWorks({ workers }, { servers: [A, B], tokenServers: [] })).toBe(false)
  await workers.beat({ ...(await ownProcess()), ...told, id: 'v', serves: [{ scope: 'public', servers: [B] }] })
  expect(await somebodyWorks({ workers }, { servers: [A, B], tokenServers: [] })).toBe(true)
})
