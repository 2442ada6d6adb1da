import { expect, it } from 'vitest'
import { z } from 'zod'
import { ExternalSort } from '../../../src/batch/external-sort.ts'
import { contentKey, elsewhere } from '../../../src/proof/repair/elsewhere.ts'
import { memorySink } from '../../../src/sinks/memory/memory-sink.ts'
import { all, done, itemAt, plannedBatch, recorded } from '../../batch/fixtures.ts'
import { checksumOf } from '../../contracts/hash.ts'
import { bytesOf, never, store } from '../../contracts/sink-bytes.ts'

it.each([
  ['whole', []],
  ['damaged in part', ['w2', 'w3']],
])('the same bytes are found at another path of a copy whose records are %s', async (_, damaged) => {
  const copy = memorySink()
  const bytes = bytesOf(10)
  await plannedBatch(copy.records, [itemAt('moved')])
  await recorded(copy.records, [done(0, 'moved', bytes)])
  for (const writer of damaged) await copy.records.write(`b1/receipts/${writer}.ndjson`, '{"state":"do\n')
  await store(copy, 'moved', bytes)
  await using sought = new ExternalSort(z.string())
  await sought.add(contentKey(checksumOf(bytes)), 'here')
  expect(await all(elsewhere(sought, copy, never))).toEqual([{ sought: 'here', paths: ['moved'] }])
})
