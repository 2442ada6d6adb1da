import { expect, test } from 'vitest'
import { bundleJobId, type BundleJob } from '../../jobs/bundle.ts'
import type { Item } from '../../src/model/item.ts'
import { blockJobs, type Bundled } from '../../workers/feed-blocks.ts'

const OPTIONS = { limit: 100_000, maxFileBytes: 1_000, maxFiles: 200 }

function item(n: number, size = 100): Item {
  return {
    n,
    server: 'https://dv.example.edu',
    ref: { kind: 'file', file: 1_000 + n, format: 'original' },
    path: `f${n}`,
    expect: { size, checksum: { algorithm: 'md5', hex: n.toString(16).padStart(32, '0') } },
    origin: { dataset: 'doi:10.5072/FK2/A', version: '1.0' },
  }
}

function bundled(queued: readonly string[] = []): Bundled {
  return { ids: new Set(), isQueued: (job) => Promise.resolve(queued.includes(bundleJobId(job))) }
}

const items = [item(0), item(1), item(2, 5_000), item(3), item(4)]
const BUNDLE: BundleJob = { v: 1, batch: 'b1', ns: [0, 1, 3, 4] }

test('small files become one archive, and others go singly', async () => {
  const { bundles, singles } = await blockJobs({ batch: 'b1', items, isSettled: () => false }, OPTIONS, bundled())
  expect(bundles).toEqual([BUNDLE])
  expect(singles.map(({ n }) => n)).toEqual([2])
})

test('what is left of a bundle of which something has ended goes singly', async () => {
  const { bundles, singles } = await blockJobs({ batch: 'b1', items, isSettled: (n) => n < 2 }, OPTIONS, bundled())
  expect(bundles).toEqual([])
  expect(singles.map(({ n }) => n)).toEqual([2, 3, 4])
})

test('what is left of a bundle whose archive is still queued is left to that', async () => {
  const block = { batch: 'b1', items, isSettled: (n: number) => n < 2 }
  const { bundles, singles } = await blockJobs(block, OPTIONS, bundled([bundleJobId(BUNDLE)]))
  expect(bundles).toEqual([])
  expect(singles.map(({ n }) => n)).toEqual([2])
})

test('a bundle that was tried is not made again, even when nothing of it came', async () => {
  const tried = bundled()
  const block = { batch: 'b1', items, isSettled: () => false }
  await blockJobs(block, OPTIONS, tried)
  const { bundles, singles } = await blockJobs(block, OPTIONS, tried)
  expect(bundles).toEqual([])
  expect(singles.map(({ n }) => n)).toEqual([0, 1, 2, 3, 4])
})

test('nothing is queued for what has ended', async () => {
  const ended = await blockJobs({ batch: 'b1', items, isSettled: () => true }, OPTIONS, bundled())
  expect(ended).toEqual({ bundles: [], singles: [] })
})
