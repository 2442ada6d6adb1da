import { randomBytes } from 'node:crypto'
import { Worker } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { RedisClient } from '../../src/ledger/redis/client.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { redisChanges } from '../../src/ledger/redis/redis-changes.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { connect } from '../../src/queue/connection.ts'
import { addItems, openQueues } from '../../src/queue/queues.ts'
import { describeLedger } from '../contracts/ledger.ts'
import { useRedisServers } from '../queue/redis-servers.ts'

const prefix = `{test-${randomBytes(4).toString('hex')}}`
const servers = useRedisServers()
let client: RedisClient

beforeAll(async () => {
  const { ports } = await servers.cluster()
  client = await connect({ url: `redis+cluster://127.0.0.1:${String(ports[0])}`, role: 'worker' })
})
afterAll(() => client.disconnect())

describeLedger('the ledger in a Redis cluster', () => new RedisLedger(client, { prefix }))

it('changes, server states and worker records work in a cluster too', async () => {
  const changes = await redisChanges(client, prefix)
  // Other tests of this file make changes of batches, which a cluster passes on a little later.
  const heard = new Promise((resolve) => {
    changes.onChange((change) => {
      if (change.kind === 'server') resolve(change)
    })
  })
  const states = new Servers(client, prefix)
  await states.hold('https://a.example', { by: 'throttle', reason: 'busy', limits: { firstMs: 1000, maxMs: 1000 } })
  expect(await heard).toEqual({ kind: 'server', server: 'https://a.example' })
  expect((await states.list())[0]?.hold?.nextLookMs).toBeGreaterThan(0)
  await changes.close()
  const at = new Date().toISOString()
  const record = {
    id: 'w',
    host: 'h',
    space: 's',
    pid: 1,
    startTime: '1',
    tokens: [],
    scopes: ['public'],
    since: at,
    at,
    holds: [],
    destinations: [],
  }
  const workers = new Workers(client, prefix)
  await workers.beat(record)
  expect(await workers.list()).toMatchObject([record])
})

it('items are queued and worked on in a cluster too', async () => {
  const queues = openQueues({ connection: client, prefix })
  await addItems(
    queues.in('public').items('https://a.example'),
    [0, 1, 2].map((n) => ({ v: 1, batch: 'b', n })),
  )
  const seen: unknown[] = []
  await new Promise<void>((resolve) => {
    const process = ({ id }: { id?: string }): Promise<void> => {
      if (seen.push(id) === 3) resolve()
      return Promise.resolve()
    }
    const worker = new Worker(queues.in('public').items('https://a.example').name, process, {
      connection: client,
      prefix,
    })
    stopping.push(() => worker.close())
  })
  for (const stop of stopping) await stop()
  expect(seen.sort()).toEqual(['b-0', 'b-1', 'b-2'])
  await queues.close()
})
const stopping: (() => Promise<void>)[] = []
