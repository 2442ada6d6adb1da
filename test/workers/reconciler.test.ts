import { expect, it } from 'vitest'
import { EMPTY_PLAN, writePlanState } from '../../src/batch/folder.ts'
import { OutcomeWriter } from '../../src/batch/outcome-log.ts'
import { DataferryError } from '../../src/errors.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { Reconciler } from '../../workers/reconciler.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { batchOf, done, itemAt, plannedBatch } from '../batch/fixtures.ts'

const ITEMS = [itemAt('a'), itemAt('b'), itemAt('c')]

/** A planned batch that Redis knows by name only, as after a cut of its file. */
async function forgotten() {
  const sink = memorySink()
  const { batch, plan } = await plannedBatch(sink.records, ITEMS)
  const ledger = new MemoryLedger()
  const fed: string[] = []
  const gone = new Set<string>()
  const reconciler = new Reconciler({
    ledger,
    batches: {
      sink: (url) =>
        gone.has(url) ? Promise.reject(new DataferryError('SINK_FAILED', 'It is away.')) : Promise.resolve(sink),
    },
    feed: ({ id }) => Promise.resolve(void fed.push(id)),
    isOurs: () => true,
  })
  const { id, destination, servers, createdAt } = batch
  await ledger.open({ id, destination, servers, createdAt })
  return { sink, batch, plan, ledger, fed, gone, reconciler }
}

it('a plan that Redis forgot after its producer had left is learnt from the destination', async () => {
  const { batch, plan, ledger, fed, reconciler } = await forgotten()
  await reconciler.now()
  await reconciler.now()
  expect(await ledger.get(batch.id)).toMatchObject({ planned: plan.items, planComplete: true })
  expect(fed).toEqual([batch.id, batch.id])
})

it('a plan that is still being made is never taken back', async () => {
  const { sink, batch, ledger, reconciler } = await forgotten()
  await writePlanState(sink.records, batch.id, { ...EMPTY_PLAN, items: 1 })
  await ledger.setPlanned(batch.id, 2, 20, false)
  await reconciler.now()
  await reconciler.now()
  expect(await ledger.get(batch.id)).toMatchObject({ planned: 2, planComplete: false })
})

it('a batch that Redis forgets soon after it was first heard of comes back, too', async () => {
  const { batch, ledger, reconciler } = await forgotten()
  await reconciler.notice(batch.id)
  await ledger.forget(batch.id)
  await reconciler.now()
  expect(await ledger.summary(batch.id)).toMatchObject({ planned: 3, planComplete: true })
})

it('a batch that Redis forgot whole comes back with all that had ended', async () => {
  const { sink, batch, ledger, fed, reconciler } = await forgotten()
  await reconciler.now()
  const outcomes = new OutcomeWriter(sink.records, batch.id, 'w1')
  await outcomes.record(done(1, 'b', bytesOf(10)))
  await outcomes.close()
  await ledger.forget(batch.id)
  await reconciler.now()
  expect(await ledger.summary(batch.id)).toMatchObject({ planned: 3, planComplete: true, done: 1 })
  expect(fed).toEqual([batch.id, batch.id])
})

it('a destination that is away keeps no other batch from being fed', async () => {
  const { batch, ledger, fed, gone, reconciler } = await forgotten()
  const away = batchOf('b0', { destination: 'memory://away' })
  await ledger.open({ id: away.id, destination: away.destination, servers: away.servers, createdAt: '2025' })
  gone.add(away.destination)
  await reconciler.now()
  fed.length = 0
  await expect(reconciler.now()).rejects.toMatchObject({ code: 'SINK_FAILED' })
  expect(fed).toEqual([batch.id])
})
