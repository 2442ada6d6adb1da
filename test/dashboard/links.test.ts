import { afterEach, expect, it, vi } from 'vitest'
import { Links } from '../../src/dashboard/links.ts'
import { ownProcess } from '../../src/process/process-identity.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
afterEach(() => void vi.useRealTimers())

it('a dashboard whose process has died is not led to', async () => {
  const links = new Links(redis.client, `${redis.prefix}:dead`)
  const me = await ownProcess()
  const living = { url: 'http://a:8686', host: me.host, pid: me.pid, process: me }
  const dead = { url: 'http://a:8687', host: me.host, pid: me.pid, process: { ...me, startTime: '1' } }
  await links.announce(living)
  await links.announce(dead)
  expect(await links.places()).toEqual([living])
})

it('a machine whose clock is wrong neither hides other dashboards nor its own', async () => {
  const links = new Links(redis.client, redis.prefix)
  const one = { url: 'http://a:8686', host: 'a', pid: 1 }
  const other = { url: 'http://b:8686', host: 'b', pid: 1 }
  await links.announce(one)
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
  await links.announce(other)
  expect(await links.places()).toHaveLength(2)
  vi.setSystemTime(0)
  await links.announce(other)
  expect(await links.places()).toHaveLength(2)
  await links.withdraw(other)
  expect(await links.places()).toEqual([one])
})
