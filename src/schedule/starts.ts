import type { Schedule } from './definition.ts'
import { dueTimes, newestDue, type DueTime } from './due-times.ts'
import { nextRunnable } from './hours.ts'

/**
 * When a schedule is going to start after `now`, as things are, each run taken to end before the next. Of due times that wait for the
 * same hours, the newest is started.
 * @param acted the newest due time that was acted on: a later one that has passed may wait for its hours
 */
export function* startsOf(schedule: Schedule, now: Date, acted: Date): Generator<DueTime, void, undefined> {
  let waiting = passed(schedule, now, acted)
  // With jitter, a due time that has passed may have its start ahead.
  const after = Math.max(now.getTime() - schedule.jitterMs, Math.min(acted.getTime(), now.getTime()))
  for (const time of dueTimes(schedule, new Date(after))) {
    if (time.start <= now) continue
    const start = nextRunnable(schedule, time.start)
    if (waiting && waiting.start.getTime() !== start.getTime()) yield waiting
    waiting = { due: time.due, start }
  }
  if (waiting) yield waiting
}

/** A due time that has passed and waits for its hours. What is missed within them is made up at once, at no time to come. */
function passed(schedule: Schedule, now: Date, acted: Date): DueTime | undefined {
  const start = nextRunnable(schedule, now)
  // What falls into a pause is not missed.
  if (start <= now || schedule.pausedAt !== undefined) return undefined
  const newest = newestDue(schedule, acted, now)
  return newest && { due: newest.due, start }
}
