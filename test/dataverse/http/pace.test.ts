import { expect, it } from 'vitest'
import { Pace } from '../../../src/dataverse/http/pace.ts'

it('a connection is slow when less than 1 KiB a second comes over the whole of the time that is watched', () => {
  const pace = new Pace(60_000)
  expect(pace.isSlow(1_000, 59_000)).toBe(false)
  expect(pace.isSlow(1_000, 60_000)).toBe(true)
  const enough = new Pace(60_000)
  expect(enough.isSlow(61_440, 60_000)).toBe(false)
  // Each stretch is judged by itself: what came before it is no credit.
  expect(enough.isSlow(1_000, 119_000)).toBe(false)
  expect(enough.isSlow(1_000, 120_000)).toBe(true)
})

it('a reader that never waits has no slow connection, however little it takes', () => {
  const pace = new Pace(60_000)
  for (let minute = 0; minute < 100; minute += 1) expect(pace.isSlow(1, 0)).toBe(false)
})
