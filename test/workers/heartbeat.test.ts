import { expect, it } from 'vitest'
import { Workers, type WorkerRecord } from '../../src/ledger/workers.ts'
import { createLogger } from '../../src/log.ts'
import type { Notice } from '../../src/model/notice.ts'
import { startHeartbeat } from '../../workers/heartbeat.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()
const EVERY_MS = 20

it('heartbeats do not pile up while Redis does not answer, and go on when it does', async () => {
  const real = new Workers(redis.client, redis.prefix)
  let running = 0
  let most = 0
  let beats = 0
  let beaten = (): void => undefined
  const notices: (Notice | undefined)[] = []
  const workers = {
    async beat(record: WorkerRecord): Promise<void> {
      most = Math.max(most, ++running)
      await real.beat(record)
      running--
      beats++
      beaten()
    },
  }
  const heartbeat = await startHeartbeat(
    {
      workers,
      id: 'w1',
      scopes: [{ scope: 'public', servers: ['https://a.example.org'] }],
      queueWorkers: { ids: () => ['b1'] },
      running: { held: () => [] },
      destinations: { list: () => [] },
      refused: { list: () => [] },
      expiring: { list: () => [] },
      notices: { set: (_, notice) => notices.push(notice), has: () => false },
      log: createLogger('silent'),
    },
    EVERY_MS,
    200,
  )
  await redis.client.call('CLIENT', 'PAUSE', '500', 'ALL')
  const before = beats
  await new Promise<void>((resolve) => (beaten = () => (beats >= before + 3 ? resolve() : undefined)))
  // The screen says why nothing moves, and no more when it does again.
  expect(notices).toContainEqual(expect.objectContaining({ what: 'Redis', reason: 'it does not answer.' }))
  await expect.poll(() => notices.at(-1)).toBeUndefined()
  await heartbeat.stop()
  expect(running).toBe(0)
  expect(most).toBe(1)
  expect(await real.list()).toMatchObject([
    { id: 'w1', tokens: ['b1'], serves: [{ scope: 'public', servers: ['https://a.example.org'] }] },
  ])
  const ended = beats
  await redis.client.ping()
  expect(beats).toBe(ended)
})
