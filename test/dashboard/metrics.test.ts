import { expect, it } from 'vitest'
import { Metrics } from '../../src/ledger/metrics.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { Servers } from '../../src/ledger/servers.ts'
import { countKey, Counts } from '../../src/model/counts.ts'
import { useRedis } from '../redis.ts'
import { openTestDashboard } from './open-dashboard.ts'

const redis = useRedis()
const SERVER = 'https://dv.example.edu'

/** Samples by name and labels. */
function samples(text: string): Readonly<Record<string, number>> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

it('what every process counted is told as one, under the names that are documented', async () => {
  const metrics = new Metrics(redis.client, redis.prefix)
  const [one, other] = [new Counts(), new Counts()]
  for (const counts of [one, other]) {
    counts.ended(SERVER, 'done', 1_500)
    counts.ended(SERVER, 'failed', undefined)
    counts.counter('received', SERVER)(1_000)
    counts.counter('answers', SERVER, '200')(1)
    await metrics.add(counts.take())
    await metrics.add(counts.take())
  }
  const ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
  await ledger.open({
    id: 'b1',
    destination: 'file:///nowhere',
    servers: [SERVER],
    createdAt: new Date().toISOString(),
  })
  const servers = new Servers(redis.client, redis.prefix)
  await servers.set(SERVER, { concurrency: 3, paused: 'by hand' })
  await using board = await openTestDashboard(redis)
  const { text, headers } = await board.ask('/metrics')
  expect(text).toContain('dataferry_build_info')
  expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
  const found = samples(text)
  expect(found).toMatchObject({
    [`dataferry_items_settled_total{server="${SERVER}",outcome="done"}`]: 2,
    [`dataferry_items_settled_total{server="${SERVER}",outcome="failed"}`]: 2,
    [`dataferry_received_bytes_total{server="${SERVER}"}`]: 2_000,
    [`dataferry_http_responses_total{server="${SERVER}",code="200"}`]: 2,
    'dataferry_transfer_duration_seconds_bucket{le="1"}': 0,
    'dataferry_transfer_duration_seconds_bucket{le="2.5"}': 2,
    'dataferry_transfer_duration_seconds_bucket{le="+Inf"}': 2,
    dataferry_transfer_duration_seconds_sum: 3,
    dataferry_transfer_duration_seconds_count: 2,
    [`dataferry_queue_items{server="${SERVER}",state="waiting"}`]: 0,
    [`dataferry_stream_slots{server="${SERVER}",state="limit"}`]: 0,
    dataferry_workers_wanted: 0,
  })
  for (const name of [
    'dataferry_server_hold_seconds_total',
    'dataferry_mirror_last_success_timestamp_seconds',
    'dataferry_build_info',
  ]) {
    expect(text).toContain(`# TYPE ${name} `)
  }
  expect(text).not.toMatch(/\b(b1|batch|doi|path|dataset)\b/i)
})

it('time on hold is counted once, however many processes look, and not while nobody does', async () => {
  const metrics = new Metrics(redis.client, redis.prefix)
  const key = countKey('held', [SERVER, 'outage'])
  const held = async (): Promise<number> =>
    (await metrics.read()).held.find(({ labels }) => labels['reason'] === 'outage')?.value ?? 0
  const began = performance.now()
  await expect
    .poll(async () => {
      await Promise.all([metrics.held(SERVER, key), metrics.held(SERVER, key), metrics.held(SERVER, key)])
      return held()
    })
    .toBeGreaterThan(50)
  expect(await held()).toBeLessThanOrEqual(performance.now() - began + 1)
  const before = await held()
  await metrics.held(SERVER, undefined)
  await metrics.held(SERVER, key)
  expect(await held()).toBe(before)
})

it('a damaged number is left out, and the others are told', async () => {
  await redis.client.hset(
    `${redis.prefix}:M`,
    'no json',
    1,
    '["unknown","x"]',
    1,
    countKey('received', ['https://a.example']),
    'x',
    `["received","${'x'.repeat(5_000)}"]`,
    1,
  )
  const { received } = await new Metrics(redis.client, redis.prefix).read()
  expect(received).toEqual([{ labels: { server: SERVER }, value: 2_000 }])
})
