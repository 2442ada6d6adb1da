import { expect, it } from 'vitest'
import { writeAsked } from '../../src/batch/asked.ts'
import { readPlanState } from '../../src/batch/folder.ts'
import { allItems } from '../../src/batch/items-file.ts'
import type { Ref } from '../../src/model/item.ts'
import type { ListedFile } from '../../src/model/listing.ts'
import type { LeftOut } from '../../src/model/receipt.ts'
import { planLeftOut } from '../../src/plan/left-out.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { all, batchOf, done, itemAt, plannedBatch, recorded } from '../batch/fixtures.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'

const BYTES = bytesOf(10)
const FILES: readonly ListedFile[] = [
  { id: 1, label: 'a.csv', directory: 'raw', size: 7, tabular: false },
  { id: 2, label: 'secret.csv', directory: '', size: 20, tabular: false, withheld: 'restricted' },
  { id: 3, label: 'later.csv', directory: '', tabular: false, withheld: 'embargoed' },
  { id: 4, label: 'past.csv', directory: '', size: 5, tabular: false, withheld: 'retention-expired' },
]

/** A batch with the archive `all.zip`, which lacks files, and whatever else. */
async function batchLacking(records: Records, leftOut: readonly LeftOut[], more = [itemAt('other.bin')]) {
  const ref: Ref = { kind: 'zip', files: [1, 2, 3, 4], format: 'original' }
  const planned = await plannedBatch(records, [itemAt('all.zip', { ref, expect: {} }), ...more], batchOf())
  await writeAsked(records, 'b1', 0, { files: [...FILES], unknown: [9] })
  await recorded(records, [done(0, 'all.zip', BYTES, { leftOut: [...leftOut] })])
  return planned
}

const lacks = (id: number): LeftOut => ({ id, path: String(id), reason: 'missing' })

it('files left out of archives are planned and counted as any others', async () => {
  const { records } = memorySink()
  const { plan } = await batchLacking(records, [1, 2, 3, 4, 9].map(lacks))
  const after = await planLeftOut(records, 'b1', plan)
  expect(after).toMatchObject({ items: 7, leftOutFrom: 2 })
  expect(after.totals).toEqual({
    ...plan.totals,
    size: plan.totals.size + 7 + 20 + 5,
    unknownSize: 1,
    noChecksum: 4,
    restricted: 1,
    embargoed: 1,
    retentionExpired: 1,
    problems: 1,
  })
  const paths = (await all(allItems(records, 'b1', 7))).map(({ path }) => path)
  expect(paths.slice(2)).toEqual(['all/raw/a.csv', 'all/secret.csv', 'all/later.csv', 'all/past.csv', 'all/9'])
  expect(await planLeftOut(records, 'b1', await readPlanState(records, 'b1'))).toEqual(after)
})

it('a left-out file that is planned at its place already is not planned twice', async () => {
  const { records } = memorySink()
  const there = itemAt('all/raw/a.csv', { ref: { kind: 'file', file: 1, format: 'original' } })
  const { plan } = await batchLacking(records, [lacks(1)], [there])
  expect(await planLeftOut(records, 'b1', plan)).toMatchObject({
    items: 2,
    leftOutFrom: 2,
    totals: { duplicates: plan.totals.duplicates + 1 },
  })
})

it('nothing left out leaves the plan as it is', async () => {
  const { records } = memorySink()
  const { plan } = await batchLacking(records, [])
  expect(await planLeftOut(records, 'b1', plan)).toBe(plan)
})
