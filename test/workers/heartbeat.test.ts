import { expect, it } from 'vitest'
import { Workers, type WorkerRecord } from '../../src/ledger/workers.ts'
import { createLogger } from '../../src/log.ts'
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
      scopes: ['public'],
      queueWorkers: { ids: () => ['b1'] },
      running: { held: () => [] },
      destinations: { list: () => [] },
      log: createLogger('silent'),
    },
    EVERY_MS,
  )
  await redis.client.call('CLIENT', 'PAUSE', '500', 'ALL')
  const before = beats
  await new Promise<void>((resolve) => (beaten = () => (beats >= before + 3 ? resolve() : undefined)))
  await heartbeat.stop()
  expect(running).toBe(0)
  expect(most).toBe(1)
  expect(await real.list()).toMatchObject([{ id: 'w1', tokens: ['b1'] }])
  const ended = beats
  await redis.client.ping()
  expect(beats).toBe(ended)
})
