import { afterAll, beforeAll, expect, test } from 'vitest'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { startService, until, type Service } from './service.ts'

/** Of the twenty crashes that an item may cause: the last ones are caused here, the others are on record. */
const CRASHES = 20
const CAUSED = 3

let service: Service
beforeAll(async () => {
  const files = [{ id: 1, label: 'poison.bin', content: { size: 1000, seed: 1 } }]
  service = await startService({ world: { datasets: [{ pid: 'doi:10.5072/FK2/POISON', files }] } })
})
afterAll(() => service[Symbol.asyncDispose]())

test('an item whose processing kills its process every time ends as failed, under a supervisor, too', async () => {
  const id = await service.enqueue('poison', '1')
  const ledger = new RedisLedger(service.client)
  for (let crash = 0; crash < CRASHES - CAUSED; crash++) await ledger.crashed(id, 0)
  // No byte comes, so that every process has the item when it is killed.
  await service.dataverse.fault({ file: 1, steps: [{ kind: 'stall', after: 0 }], repeat: true })
  const supervisor = service.work(0, '--processes', '2')
  const killed = new Set<number>()
  while (killed.size < CAUSED) {
    const holder = await until('a process has the item', async () =>
      (await service.workers.list()).find(({ pid, holds }) => !killed.has(pid) && holds.length > 0),
    )
    killed.add(holder.pid)
    process.kill(holder.pid, 'SIGKILL')
  }
  await until('the batch has ended', async () => (await service.batch(id)).state === 'finished')
  expect(await service.outcomes('poison')).toMatchObject([{ state: 'failed', n: 0, code: 'WORKER_CRASHED' }])
  supervisor.child.kill('SIGTERM')
  expect((await supervisor.ended).code).toBe(0)
})
