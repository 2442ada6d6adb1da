import { describe, expect, it } from 'vitest'
import { owedBytes } from '../../../src/proof/verify/owed.ts'
import { readVerifySummary } from '../../../src/proof/verify/summary.ts'
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
    expect((await readVerifySummary(sink.records))?.open).toEqual({ missing: 1, changed: 1, extra: 1 })
    await roll(sink, 40)
    expect((await readVerifySummary(sink.records))?.open).toEqual({ missing: 0, changed: 0, extra: 0 })
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
