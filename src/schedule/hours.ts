import type { Schedule } from './definition.ts'

const FORM = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/

/** Whether a text names hours of the day: `20:00-06:00`; the end does not belong to them. */
export function isHours(text: string): boolean {
  const hours = parse(text)
  return hours !== undefined && hours.from !== hours.to
}

/** Whether the command of a schedule may run at this time. */
export function mayRunAt({ between, tz }: Pick<Schedule, 'between' | 'tz'>, now: Date): boolean {
  const hours = parse(between)
  if (!hours) return true
  const { from, to } = hours
  const minute = minuteOfDay(now, tz)
  return from < to ? minute >= from && minute < to : minute >= from || minute < to
}

const MINUTE = 60_000
const DAY = 24 * 60
/** Where the clock is changed, hours begin so much earlier than they seem to, at most. */
const CHANGE = 60

/** The first minute from `at` on in which the command may run. */
export function nextRunnable(schedule: Pick<Schedule, 'between' | 'tz'>, at: Date): Date {
  if (mayRunAt(schedule, at)) return at
  const { from = 0 } = parse(schedule.between) ?? {}
  const ahead = (from - minuteOfDay(at, schedule.tz) + DAY) % DAY
  let next = Math.ceil(at.getTime() / MINUTE) * MINUTE + Math.max(0, ahead - CHANGE - 1) * MINUTE
  while (!mayRunAt(schedule, new Date(next))) next += MINUTE
  return new Date(next)
}

/** Minutes of the day. */
function parse(text = ''): { readonly from: number; readonly to: number } | undefined {
  const [, ...parts] = FORM.exec(text) ?? []
  if (parts.length < 4) return undefined
  const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = parts.map(Number)
  return { from: fromHour * 60 + fromMinute, to: toHour * 60 + toMinute }
}

/** Making one takes a thousand times as long as using it. */
const clocks = new Map<string, Intl.DateTimeFormat>()

function minuteOfDay(now: Date, timeZone: string): number {
  const clock =
    clocks.get(timeZone) ??
    new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  clocks.set(timeZone, clock)
  const [hours = 0, minutes = 0] = clock.format(now).split(':').map(Number)
  return hours * 60 + minutes
}
