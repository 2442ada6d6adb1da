import { describe, expect, it } from 'vitest'
import { newVerifyProgress } from '../../../src/batch/verify-destination.ts'
import { owedBytes, roundOf } from '../../../src/proof/verify/owed.ts'
import { RollingShare } from '../../../src/proof/verify/rolling-share.ts'
import { readVerifySummary } from '../../../src/proof/verify/summary.ts'
import { all } from '../../batch/fixtures.ts'
import { bytesOf, store } from '../../contracts/sink-bytes.ts'
import { added, at, holding, PERIOD, roll, sizes } from './roll.ts'

describe('a rolling verification', () => {
  it('owes the share of the time that has passed: a day at first, then since the last run, at most everything', async () => {
    const sink = await holding(sizes(30))
    expect((await roll(sink, 0)).read).toHaveLength(1)
    expect((await roll(sink, 3)).read).toHaveLength(3)
    expect((await roll(sink, 3)).read).toHaveLength(1)
    expect((await roll(sink, 103)).read).toHaveLength(30)
    // A clock that was set back.
    expect((await roll(sink, 50)).read).toHaveLength(1)
  })

  it('reads first what has changed on purpose since, and what nobody has read yet', async () => {
    const sink = await holding(sizes(30))
    for (let day = 0; day < 5; day++) await roll(sink, day)
    await added(sink, 'b2', 4.5, { f001: 100 })
    await added(sink, 'b3', 4.5, { zzz: 100 })
    expect((await roll(sink, 7)).read.slice(0, 3)).toEqual(['f001', 'f005', 'f006'])
    expect((await roll(sink, 35)).read.slice(-5)).toEqual(['f002', 'f003', 'f004', 'f001', 'f005'])
  })

  it('cut short it remembers what it has read, and owes the rest', async () => {
    const sink = await holding(sizes(30))
    await roll(sink, 0)
    expect((await roll(sink, 10, 4)).read.length).toBeGreaterThanOrEqual(4)
    const { read } = await roll(sink, 10)
    expect(read).toEqual(['f005', 'f006', 'f007', 'f008', 'f009', 'f010'])
  })

  it('tells at once what can be told without reading: missing, extra and cut files', async () => {
    const sink = await holding(sizes(60))
    await sink.remove('f010')
    await store(sink, 'f050', bytesOf(99))
    await store(sink, 'other', bytesOf(1))
    const { states, read } = await roll(sink, 0)
    expect(states).toEqual({ f000: 'ok', f001: 'ok', f010: 'missing', f050: 'changed', other: 'extra' })
    expect(read).toEqual(['f000', 'f001'])
    await store(sink, 'f010', bytesOf(100))
    await store(sink, 'f050', bytesOf(100))
    await sink.remove('other')
    expect((await readVerifySummary(sink.records))?.open).toEqual({ missing: 1, changed: 1, extra: 1, unfetched: 0 })
    await roll(sink, 40)
    expect((await readVerifySummary(sink.records))?.open).toEqual({ missing: 0, changed: 0, extra: 0, unfetched: 0 })
  })

  it('reads again in every run what it found changed, until that is right, and still reads its share', async () => {
    const sink = await holding(sizes(30))
    await store(sink, 'f000', bytesOf(100, 2))
    expect((await roll(sink, 0)).states).toEqual({ f000: 'changed' })
    for (let day = 1; day < 4; day++) {
      const { states } = await roll(sink, day)
      expect(states).toEqual({ f000: 'changed', [`f00${day}`]: 'ok' })
    }
    await store(sink, 'f000', bytesOf(100))
    expect((await roll(sink, 4)).states).toEqual({ f000: 'ok', f004: 'ok' })
    expect((await roll(sink, 5)).states).toEqual({ f005: 'ok' })
  })

  it('of very many files that were found wrong it reads those that were not read for longest, and counts the rest', async () => {
    const checksum = { algorithm: 'md5', hex: '0'.repeat(32) } as const
    const names = Object.keys(sizes(1_010)).sort()
    const results = names.map((path, n) => ({
      ...({ path, state: 'changed', by: '1.0.0', at: at(n < 10 ? 2 : 1).toISOString() } as const),
      ...{ checksum: { ...checksum, hex: '1'.repeat(32) }, expected: { checksum } },
    }))
    const finishedAt = at(0).toISOString()
    const received = { kind: 'received', batch: 'b1', n: 0, size: 1, checksum, finishedAt } as const
    const now = at(3)
    const round = roundOf(undefined, PERIOD, now)
    await using share = new RollingShare({ round, now, results: each(results), onGone: () => Promise.resolve() })
    const known = names.map((path) => ({ path, listed: 1, received }))
    const chosen = await all(share.choose(each(known), newVerifyProgress()))
    expect(chosen.map(({ path }) => path)).toEqual(names.slice(10))
    expect(share.outcome(now).rolling?.openLeft).toBe(10)
  })

  it('goes on with a round that says when everything will have been read, and begins the next one', async () => {
    const sink = await holding(sizes(30))
    expect((await roll(sink, 0)).outcome).toEqual({
      periodMs: PERIOD,
      since: at(-1).toISOString(),
      owed: 100,
      left: { files: 29, bytes: 2900 },
    })
    const last = await roll(sink, 29)
    expect(last.outcome).toMatchObject({ since: at(29).toISOString(), left: { files: 1, bytes: 100 } })
  })
})

it('a round that would not end in time, since files came meanwhile, is hurried', () => {
  const now = at(16)
  const round = { periodMs: PERIOD, since: at(0), lastStart: at(15), lastEnd: at(15) }
  expect(owedBytes(round, { total: 3_000, unread: 1_500, since: 0 }, now)).toBe(100)
  expect(owedBytes(round, { total: 6_000, unread: 4_500, since: 0 }, now)).toBe(300)
  expect(owedBytes(round, { total: 6_000, unread: 4_500, since: 600 }, now)).toBe(0)
})

// eslint-disable-next-line @typescript-eslint/require-await -- what is read is asynchronous
async function* each<T>(values: readonly T[]): AsyncGenerator<T> {
  yield* values
}
