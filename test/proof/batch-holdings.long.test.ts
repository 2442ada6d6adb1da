import { expect, it } from 'vitest'
import { batchHoldings } from '../../src/proof/batch-holdings.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { itemAt, plannedBatch } from '../batch/fixtures.ts'

it('a batch of which more is missing than can be named is handed on in no form', async () => {
  const { records } = memorySink()
  await plannedBatch(
    records,
    Array.from({ length: 100_001 }, (_, n) => itemAt(`f/${n}`)),
  )
  const { signal } = new AbortController()
  const holdings = batchHoldings({ records, batch: 'b1', per: 'batch', signal })
  await expect(holdings.next()).rejects.toMatchObject({
    code: 'BAG_REFUSED',
    message: expect.stringContaining('More than 100,000 files') as string,
  })
})
