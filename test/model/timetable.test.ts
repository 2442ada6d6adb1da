import { describe, expect, it } from 'vitest'
import { bandwidth } from '../../src/config/setting-values.ts'
import { shareOf, Timetable } from '../../src/model/timetable.ts'

const M = 1024 ** 2

function read(text: string): Timetable {
  const parsed = bandwidth.parse(text)
  if (parsed instanceof Timetable) return parsed
  throw new Error(`${text} is no timetable`)
}

/** Local time, as in the timetable. 2026-11-22 is a Sunday. */
const at = (day: number, hours: number, minutes = 0) => new Date(2026, 10, 22 + day, hours, minutes)

describe('a timetable', () => {
  it('gives the rate of the last entry that has begun, from the day before in the morning', () => {
    const table = read('08:00,2M 19:00,off')
    expect(table.rateAt(at(1, 7, 59))).toBeUndefined()
    expect(table.rateAt(at(1, 8))).toBe(2 * M)
    expect(table.rateAt(at(1, 18, 59))).toBe(2 * M)
    expect(table.rateAt(at(1, 19))).toBeUndefined()
    expect(table.rateAt(at(0, 0))).toBeUndefined()
  })

  it('knows the days of the week, and goes on from Saturday to Sunday', () => {
    const table = read('Mon-00:00,512K Fri-23:59,10M Sat-10:00,1M Sun-20:00,off')
    expect(table.rateAt(at(0, 19, 59))).toBe(M)
    expect(table.rateAt(at(0, 20))).toBeUndefined()
    expect(table.rateAt(at(4, 12))).toBe(512 * 1024)
    expect(table.rateAt(at(5, 23, 59))).toBe(10 * M)
    expect(table.rateAt(at(6, 10))).toBe(M)
  })

  it('divides its rate among processes, by a clock that moves on', () => {
    let now = at(1, 9)
    const share = shareOf(read('08:00,2M 19:00,off'), 4, () => now)
    expect(share()).toBe(M / 2)
    now = at(1, 20)
    expect(share()).toBeUndefined()
    expect(shareOf(1000, 4)()).toBe(250)
    expect(shareOf(undefined, 4)()).toBeUndefined()
  })

  it.each(['08:00,2000', '24:00,2M', '08:60,2M', 'Xyz-08:00,2M', '08:00', '08:00,2M 19:00,fast', '10M:1M', ''])(
    'refuses %j, which rclone would read in another way or not at all',
    (text) => {
      const { error } = bandwidth.safeParse(text)
      expect(error?.issues[0]?.message).toContain('such as "08:00,2M 19:00,off"')
    },
  )

  it('is beside a plain rate, and `off`', () => {
    expect(bandwidth.parse('10M')).toBe(10 * M)
    expect(bandwidth.parse(500)).toBe(500)
    expect(bandwidth.parse('off')).toBeUndefined()
    expect(JSON.stringify(read('08:00,2M 19:00,off'))).toBe('"08:00,2M 19:00,off"')
  })
})
