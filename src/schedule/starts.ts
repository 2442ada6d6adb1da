import type { Schedule } from './definition.ts'
import { dueTimes, type DueTime } from './due-times.ts'
import { nextRunnable } from './hours.ts'

/**
 * When a schedule is going to start, as things are now, each run taken to end before the next. Of due times that wait for the same
 * hours, the newest is started.
 */
export function* startsOf(schedule: Schedule, after: Date): Generator<DueTime, void, undefined> {
  let waiting: DueTime | undefined
  for (const time of dueTimes(schedule, after)) {
    const start = nextRunnable(schedule, time.start)
    if (waiting && waiting.start.getTime() !== start.getTime()) yield waiting
    waiting = { due: time.due, start }
  }
  if (waiting) yield waiting
}
