import { describe, expect, it } from 'vitest'
import { added, holding, roll, sizes } from './roll.ts'

describe('a rolling verification, day by day over weeks', () => {
  it('reads everything within the period, day by day, what was not read for longest first', async () => {
    const sink = await holding(sizes(60))
    const lastRead = new Map<string, number>()
    for (let day = 0; day < 65; day++) {
      const { read } = await roll(sink, day)
      expect(read).toHaveLength(2)
      for (const path of read) {
        expect(day - (lastRead.get(path) ?? day)).toBeLessThanOrEqual(30)
        lastRead.set(path, day)
      }
      if (day === 29) expect(lastRead.size).toBe(60)
      expect(day - Math.min(...lastRead.values())).toBeLessThanOrEqual(30)
    }
  })

  it('reads everything within the period where files differ in size, come anew and go', async () => {
    const sink = await holding({ ...sizes(40, 10), huge: 5_000, empty: 0, 'empty too': 0 })
    const lastRead = new Map<string, number>()
    for (let day = 0; day < 65; day++) {
      if (day % 10 === 5) await added(sink, `more${day}`, day - 1, { [`new${day}`]: 300, [`empty${day}`]: 0 })
      for (const path of (await roll(sink, day)).read) lastRead.set(path, day)
      if (day < 31) continue
      const paths = ['huge', 'empty', 'empty too', ...Object.keys(sizes(40))]
      for (const path of paths) expect(day - (lastRead.get(path) ?? -99)).toBeLessThanOrEqual(31)
    }
    expect([...lastRead.keys()].filter((path) => path.startsWith('new'))).toHaveLength(6)
  })
})
