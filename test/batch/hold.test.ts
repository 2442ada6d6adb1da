import { describe, expect, it } from 'vitest'
import { readHold, removeHold, writeHold } from '../../src/batch/hold.ts'
import { reconcile } from '../../src/batch/reconcile.ts'
import { reopenFailed } from '../../src/batch/reopen.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { Reconciler } from '../../workers/reconciler.ts'
import { done, failed, itemAt, plannedBatch, recorded } from './fixtures.ts'

const BYTES = bytesOf(10)

async function heldBatch(state: 'paused' | 'cancelled') {
  const sink = memorySink()
  const { batch, plan } = await plannedBatch(sink.records, [itemAt('a'), itemAt('b')])
  await recorded(sink.records, [done(0, 'a', BYTES), failed(1, 'SOURCE_DENIED', 'b')])
  await writeHold(sink.records, batch.id, { state, reason: 'by hand' })
  return { sink, records: sink.records, batch, plan }
}

describe.each(['paused', 'cancelled'] as const)('a batch that somebody has %s', (state) => {
  it('is so again in a Redis that knew nothing of it', async () => {
    const { records, batch, plan } = await heldBatch(state)
    const ledger = new MemoryLedger()
    expect(await reconcile(ledger, records, batch, plan)).toBe(2)
    expect(await ledger.get(batch.id)).toMatchObject({ state, reason: 'by hand', planned: 2 })
    expect(await ledger.summary(batch.id)).toMatchObject({ done: 1, failed: 1 })
  })

  it('goes on where Redis knows of a newer wish', async () => {
    const { records, batch, plan } = await heldBatch(state)
    const ledger = new MemoryLedger()
    await reconcile(ledger, records, batch, plan)
    await ledger.setState(batch.id, 'open')
    await reconcile(ledger, records, batch, plan)
    expect(await ledger.get(batch.id)).toMatchObject({ state: 'open' })
  })

  it('is brought back so by the workers of a Redis that was emptied, whatever they had seen last', async () => {
    for (const seen of ['open', state] as const) {
      const { sink, records, batch, plan } = await heldBatch(state)
      const ledger = new MemoryLedger()
      await reconcile(ledger, records, batch, plan)
      await ledger.detach(batch.id, [])
      await ledger.setState(batch.id, seen)
      const reconciler = new Reconciler({
        ledger,
        batches: { sink: () => Promise.resolve(sink) },
        feed: () => Promise.resolve(),
        isOurs: () => true,
      })
      await reconciler.now()
      await ledger.forget(batch.id)
      await reconciler.now()
      expect(await ledger.get(batch.id)).toMatchObject({ state, reason: 'by hand' })
    }
  })

  it('goes on after a retry, whatever becomes of Redis', async () => {
    const { records, batch, plan } = await heldBatch(state)
    const ledger = new MemoryLedger()
    await reconcile(ledger, records, batch, plan)
    expect(await reopenFailed(ledger, records, batch.id, new Set(), 'r')).toBe(1)
    await ledger.forget(batch.id)
    await reconcile(ledger, records, batch, plan)
    expect(await ledger.get(batch.id)).toMatchObject({ state: 'open', reason: undefined })
  })
})

it('a hold is taken back, once or often', async () => {
  const { records, batch } = await heldBatch('paused')
  expect(await readHold(records, batch.id)).toMatchObject({ state: 'paused', reason: 'by hand' })
  for (const time of ['once', 'twice']) {
    await removeHold(records, batch.id)
    expect(await readHold(records, batch.id), time).toBeUndefined()
  }
})
