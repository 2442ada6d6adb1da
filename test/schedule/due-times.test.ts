import { describe, expect, it } from 'vitest'
import { checkTiming, dueTimes, newestDue, type Timing } from '../../src/schedule/due-times.ts'
import { startsOf } from '../../src/schedule/starts.ts'
import { isHours, mayRunAt, nextRunnable } from '../../src/schedule/hours.ts'
import type { Schedule } from '../../src/schedule/definition.ts'

const timing = (cron: string, more: Partial<Timing> = {}): Timing => ({
  name: 'n',
  cron,
  tz: 'Europe/Berlin',
  jitterMs: 0,
  ...more,
})

function times(one: Timing, after: string, count: number): readonly string[] {
  const found: string[] = []
  for (const { due } of dueTimes(one, new Date(after))) {
    found.push(due.toISOString())
    if (found.length === count) break
  }
  return found
}

describe('the day on which summer time begins (02:00 is 03:00)', () => {
  it('a time that does not exist comes at the next one that does, once', () => {
    expect(times(timing('30 2 * * *'), '2026-03-28T12:00:00Z', 2)).toEqual([
      '2026-03-29T01:30:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
    const just = newestDue(timing('30 2 * * *'), new Date('2026-03-28T12:00:00Z'), new Date('2026-03-29T10:00:00Z'))
    expect(just?.due.toISOString()).toBe('2026-03-29T01:30:00.000Z')
  })

  it('hours go on', () => {
    expect(times(timing('0 * * * *'), '2026-03-28T23:30:00Z', 3)).toEqual([
      '2026-03-29T00:00:00.000Z',
      '2026-03-29T01:00:00.000Z',
      '2026-03-29T02:00:00.000Z',
    ])
  })
})

describe('the day on which summer time ends (03:00 is 02:00)', () => {
  it('a time that exists twice comes once', () => {
    expect(times(timing('30 2 * * *'), '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
  })

  it('what comes every hour or more often goes on by real time', () => {
    expect(times(timing('0 * * * *'), '2026-10-24T22:30:00Z', 4)).toEqual([
      '2026-10-24T23:00:00.000Z',
      '2026-10-25T00:00:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T02:00:00.000Z',
    ])
  })
})

describe('what was missed', () => {
  it('is the newest due time only, however long ago the last one was', () => {
    const now = new Date('2026-11-27T10:00:30Z')
    const newest = newestDue(timing('* * * * *'), new Date('2020-01-01T00:00:00Z'), now)
    expect(newest?.due.toISOString()).toBe('2026-11-27T10:00:00.000Z')
    const yearly = newestDue(timing('0 0 1 1 *'), new Date('2020-01-01T00:00:00Z'), now)
    expect(yearly?.due.toISOString()).toBe('2025-12-31T23:00:00.000Z')
    const leap = newestDue(timing('0 0 29 2 *'), new Date('2020-01-01T00:00:00Z'), now)
    expect(leap?.due.toISOString()).toBe('2024-02-28T23:00:00.000Z')
  })

  it('is nothing when the last due time was acted on', () => {
    const last = new Date('2026-11-27T02:00:00Z')
    expect(newestDue(timing('0 3 * * *'), last, new Date('2026-11-28T01:59:59Z'))).toBeUndefined()
    expect(newestDue(timing('0 3 * * *'), last, new Date('2026-11-28T02:00:00Z'))).toBeDefined()
  })
})

it('jitter makes a start later, by the same amount everywhere, and no later than it says', () => {
  const jitterMs = 600_000
  const [first] = dueTimes(timing('0 3 * * *', { jitterMs }), new Date('2026-11-27T00:00:00Z'))
  const [again] = dueTimes(timing('0 3 * * *', { jitterMs }), new Date('2026-11-26T12:00:00Z'))
  const delay = (first?.start.getTime() ?? 0) - (first?.due.getTime() ?? 0)
  expect(delay).toBeGreaterThan(0)
  expect(delay).toBeLessThan(jitterMs)
  const same = timing('0 3 * * *', { jitterMs })
  const last = new Date('2026-11-26T12:00:00Z')
  expect(again).toEqual(first)
  expect(newestDue(same, last, new Date((first?.start.getTime() ?? 0) - 1))?.due).not.toEqual(first?.due)
  expect(newestDue(same, last, first?.start ?? last)?.due).toEqual(first?.due)
})

it.each([
  ['61 * * * *', 'Europe/Berlin'],
  ['not a time', 'Europe/Berlin'],
  ['', 'Europe/Berlin'],
  ['*', 'Europe/Berlin'],
  ['0 3 * *', 'Europe/Berlin'],
  ['0 0 31 2 *', 'Europe/Berlin'],
  ['0 3 * * *', 'Mars/Olympus'],
])('%s in %s is refused in one sentence', (cron, tz) => {
  const check = () => checkTiming(timing(cron, { tz }), new Date('2026-11-27T00:00:00Z'))
  expect(check).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }))
  expect(check).toThrow(/^--(?:cron|tz)/)
})

describe('hours', () => {
  const night = { between: '20:00-06:00', tz: 'Europe/Berlin' }

  it('may reach over midnight, in the zone of the schedule', () => {
    const at = (text: string) => mayRunAt(night, new Date(text))
    expect(at('2026-11-27T18:59:00Z')).toBe(false)
    expect(at('2026-11-27T19:00:00Z')).toBe(true)
    expect(at('2026-11-28T04:59:59Z')).toBe(true)
    expect(at('2026-11-28T05:00:00Z')).toBe(false)
    expect(nextRunnable(night, new Date('2026-11-28T05:00:00Z')).toISOString()).toBe('2026-11-28T19:00:00.000Z')
    expect(isHours('20:00-06:00')).toBe(true)
    for (const wrong of ['20:00', '20:00-25:00', '8:00-9:00', '20:00-20:00', '']) expect(isHours(wrong)).toBe(false)
  })

  it('several due times that wait for them are one start', () => {
    const schedule: Schedule = {
      ...timing('0 12 * * *'),
      ...night,
      v: 1,
      command: ['run', 'x'],
      cwd: '/',
      createdAt: '2026-11-27T00:00:00.000Z',
      since: '2026-11-27T00:00:00.000Z',
    }
    const hourly = { ...schedule, cron: '0 12-15 * * *' }
    const first = (one: Schedule) => {
      const now = new Date('2026-11-27T00:00:00Z')
      for (const { due, start } of startsOf(one, now, now)) return [due, start]
      return []
    }
    const evening = new Date('2026-11-27T19:00:00Z')
    expect(first(schedule)).toEqual([new Date('2026-11-27T11:00:00Z'), evening])
    expect(first(hourly)).toEqual([new Date('2026-11-27T14:00:00Z'), evening])
  })

  it('a due time that has passed and was not acted on waits for them', () => {
    const now = new Date('2026-11-28T00:03:00Z')
    const schedule: Schedule = {
      ...timing('@daily', { tz: 'UTC' }),
      between: '08:00-10:00',
      v: 1,
      command: ['run', 'x'],
      cwd: '/',
      createdAt: '2026-11-27T20:00:00.000Z',
      since: '2026-11-27T20:00:00.000Z',
    }
    const first = (one: Schedule, acted: string) => {
      for (const { start } of startsOf(one, now, new Date(acted))) return start.toISOString()
      return undefined
    }
    expect(first(schedule, schedule.since)).toBe('2026-11-28T08:00:00.000Z')
    expect(first(schedule, '2026-11-28T00:00:00Z')).toBe('2026-11-29T08:00:00.000Z')
    expect(first({ ...schedule, pausedAt: now.toISOString() }, schedule.since)).toBe('2026-11-29T08:00:00.000Z')
  })
})
