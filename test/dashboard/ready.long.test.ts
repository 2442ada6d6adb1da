import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { parseRedisUrl } from '../../src/queue/redis-url.ts'
import { startFrontDoor } from '../fakes/front-door.ts'
import { useRedis } from '../redis.ts'
import { openTestDashboard } from './open-dashboard.ts'

const redis = useRedis()

/** The address of what passes connections on to the Redis of these tests. */
async function overTcp(): Promise<{ readonly url: string; close(): void }> {
  const { socket, nodes } = parseRedisUrl(redis.url)
  const server = createServer((client) => {
    const behind = socket === undefined ? connect(nodes[0]?.port ?? 0, nodes[0]?.host) : connect(socket)
    for (const one of [client, behind]) one.on('error', () => [client, behind].forEach((side) => side.destroy()))
    client.pipe(behind).pipe(client)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, close: () => server.close() }
}

it('a dashboard is not ready while its Redis is away, stays alive, and is ready again by itself', async () => {
  const behind = await overTcp()
  await using door = await startFrontDoor(behind.url)
  await using board = await openTestDashboard({
    ...redis,
    url: door.url.replace('http:', 'redis:'),
    prefix: redis.prefix,
  })
  const ready = async (): Promise<readonly [number, string]> => {
    const { status, text } = await board.ask('/readyz')
    return [status, text]
  }
  expect(await ready()).toEqual([200, 'ready\n'])
  await door.shut('refused')
  await expect.poll(ready, { timeout: 30_000 }).toEqual([503, 'not ready: Redis\n'])
  expect((await board.ask('/healthz')).text).toBe('alive\n')
  await door.open()
  await expect.poll(ready, { timeout: 60_000 }).toEqual([200, 'ready\n'])
  behind.close()
})
