import { expect, it } from 'vitest'
import { writePlanState } from '../../src/batch/folder.ts'
import { batchHoldings } from '../../src/proof/batch-holdings.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { done, failed, itemAt, plannedBatch, recorded } from '../batch/fixtures.ts'

const BYTES = Buffer.from('x')
const PID = 'doi:10.5072/FK2/A'

async function planned(...versions: readonly string[]) {
  const { records } = memorySink()
  const items = versions.map((version) => itemAt(`v${version}/a`, { origin: { dataset: PID, version } }))
  const { plan } = await plannedBatch(records, items)
  return { records, plan }
}

const options = { batch: 'b1', per: 'dataset', signal: new AbortController().signal } as const

it('versions of a dataset come in the order of their numbers, each with what is missing of it', async () => {
  const { records } = await planned('1.10', '1.9', '2.0')
  await recorded(records, [done(0, 'v1.10/a', BYTES), done(1, 'v1.9/a', BYTES), failed(2, 'SOURCE_DENIED', 'v2.0/a')])
  const found: unknown[] = []
  for await (const { dataset, missing, files } of batchHoldings({ ...options, records })) {
    const places: string[] = []
    for await (const { place } of files) places.push(place)
    found.push([dataset?.number, places, missing])
  }
  expect(found).toEqual([
    ['1.9', ['v1.9/a'], []],
    ['1.10', ['v1.10/a'], []],
    ['2.0', [], [{ path: 'v2.0/a', why: 'SOURCE_DENIED' }]],
  ])
})

it('a batch that is not planned to its end is not handed on as if it were whole', async () => {
  const { records, plan } = await planned('1.0')
  await recorded(records, [done(0, 'v1.0/a', BYTES)])
  await writePlanState(records, 'b1', { ...plan, complete: false })
  await expect(batchHoldings({ ...options, records }).next()).rejects.toMatchObject({ code: 'BAG_REFUSED' })
})

it('every file that is missing is named, also where there are many', async () => {
  const { records } = await planned(...Array.from({ length: 1_100 }, () => '1.0'))
  const { value } = await batchHoldings({ ...options, records }).next()
  expect(value?.missing).toHaveLength(1_100)
})
