import { expect, it } from 'vitest'
import { BatchLogs, LINES_KEPT } from '../../src/ledger/batch-logs.ts'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { batchKeys } from '../../src/ledger/redis/keys.ts'
import { createLogger } from '../../src/log.ts'
import { LogTails } from '../../workers/log-tails.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const silent = createLogger('silent')
const textsOf = async (logs: BatchLogs, batch: string) => (await logs.read(batch)).map(({ text }) => text)

it('what two machines log about a batch is one log: its last lines, for a time, and gone with the batch', async () => {
  const logs = new BatchLogs(redis.client, redis.prefix)
  const ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
  await ledger.open({ id: 'b1', destination: 'file:///d', servers: [], createdAt: new Date().toISOString() })
  for (const host of ['one', 'other']) {
    const tails = new LogTails()
    const log = tails.of('b1', silent)
    for (let n = 0; n < 3 * LINES_KEPT; n++) log.info({ n, host }, 'line')
    log.error({ n: 7 }, host)
    await tails.bring((batch, lines) => logs.add(batch, lines.slice(-60)))
  }
  const lines = await logs.read('b1')
  expect(lines).toHaveLength(LINES_KEPT)
  expect(lines.at(-1)).toMatchObject({ level: 'error', pid: process.pid, text: 'other n=7' })
  expect(lines.filter(({ text }) => text.includes('host=one') || text.startsWith('one'))).toHaveLength(40)
  const { log } = batchKeys(redis.prefix, 'b1')
  expect(await redis.client.ttl(log)).toBeGreaterThan(0)
  await redis.client.rpush(log, 'no json', '{"v":2}', JSON.stringify({ ...lines[0], text: 'x'.repeat(10_000) }))
  expect((await logs.read('b1')).length).toBe(LINES_KEPT - 3)
  await ledger.forget('b1')
  expect(await logs.read('b1')).toEqual([])
})

it('a line is text of bounded length in which nothing acts on a terminal, and holds no secret', async () => {
  const logs = new BatchLogs(redis.client, redis.prefix)
  const tails = new LogTails()
  const log = tails.of('b2', silent)
  log.info({ path: '\u001b[31m\u202e', token: 'secret-1' }, 'item ended')
  log.info({ path: '\u202e'.repeat(10_000) }, 'long')
  log.error({ err: new TypeError('no such thing'), n: 3 }, 'unexpected')
  await tails.bring((batch, lines) => logs.add(batch, lines))
  const [first, second, third] = await textsOf(logs, 'b2')
  expect(first).toBe('item ended path=\\x1b[31m\\u{202e} token=[hidden]')
  expect(second).toHaveLength(500)
  expect(third).toBe('unexpected err=no such thing n=3')
})

it('what could not be brought is brought the next time, and no more than is kept', async () => {
  const logs = new BatchLogs(redis.client, redis.prefix)
  const tails = new LogTails()
  const log = tails.of('b3', silent)
  log.info({}, 'first')
  await expect(tails.bring(() => Promise.reject(new Error('away')))).rejects.toThrow('away')
  log.info({}, 'second')
  await tails.bring((batch, lines) => logs.add(batch, lines))
  expect(await textsOf(logs, 'b3')).toEqual(['first', 'second'])
  await tails.bring(() => Promise.reject(new Error('nothing is left')))
})
