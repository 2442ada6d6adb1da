import { createHash } from 'node:crypto'
import { CronExpressionParser, type CronExpression } from 'cron-parser'
import { DataferryError, messageOf } from '../errors.ts'
import { formatDuration } from '../model/format.ts'
import type { Schedule } from './definition.ts'

/** What decides when a schedule is due. */
export type Timing = Pick<Schedule, 'name' | 'cron' | 'tz' | 'jitterMs'>

/** When a command should run. */
export interface DueTime {
  /** As `cron` says. */
  readonly due: Date
  /** With jitter: not before this. */
  readonly start: Date
}

/** Throws `ARGUMENT_INVALID` where `cron` or `tz` cannot be understood, or names a time that never comes. */
export function checkTiming(timing: Timing, now: Date): void {
  if (!isTimeZone(timing.tz)) {
    throw new DataferryError('ARGUMENT_INVALID', `--tz: ${timing.tz} is no time zone such as Europe/Berlin.`)
  }
  try {
    // cron-parser takes what is missing for a wildcard.
    const cron = timing.cron.trim()
    if (cron.startsWith('@')) {
      if (!WORDS.includes(cron)) throw new Error(`of such words there are ${WORDS.join(', ')}`)
    } else if (!/^\S+(?:\s+\S+){4,5}$/.test(cron)) throw new Error('it does not have five fields')
    expressionFrom(timing, now).next()
  } catch (error) {
    const why = messageOf(error).replace(/\.$/, '')
    const message = `--cron ${JSON.stringify(timing.cron)} cannot be used: ${why}. Expected five fields such as '0 3 * * *'.`
    throw new DataferryError('ARGUMENT_INVALID', message, { cause: error })
  }
  checkJitter(timing, now)
}

/** What a start may be put off by: with more, due times would overtake each other. */
function checkJitter(timing: Timing, now: Date): void {
  if (timing.jitterMs === 0) return
  let most = DAY
  let before: Date | undefined
  let looked = 0
  for (const { due } of dueTimes(timing, now)) {
    if (before) most = Math.min(most, due.getTime() - before.getTime())
    before = due
    if (++looked > LOOKED_AT) break
  }
  if (timing.jitterMs < most) return
  const limit = most === DAY ? 'a day' : `the ${formatDuration(most)} from one due time to the next`
  throw new DataferryError('ARGUMENT_INVALID', `--jitter is too long: give less than ${limit}.`)
}

/**
 * All due times after `after`, in order. Local times that summer time skips come at the next one that exists; of those that
 * exist twice, the first counts.
 */
export function* dueTimes(timing: Timing, after: Date): Generator<DueTime, void, undefined> {
  const expression = expressionFrom(timing, after)
  let before = after
  for (;;) {
    const next = nextOf(expression)
    if (next === undefined) return
    if (next.getTime() <= before.getTime()) continue
    before = next
    yield { due: next, start: new Date(next.getTime() + delayOf(timing, next)) }
  }
}

/** As cron-parser knows them. */
const WORDS = [
  '@yearly',
  '@annually',
  '@monthly',
  '@weekly',
  '@weekdays',
  '@weekends',
  '@daily',
  '@hourly',
  '@minutely',
  '@secondly',
]
const HOUR = 3_600_000
const DAY = 24 * HOUR
/** Due times among which the shortest interval is looked for. */
const LOOKED_AT = 50
/** Looked back in steps: after a year away, a schedule of every minute is not counted through from its beginning. */
const LOOKS_BACK = [HOUR, 24 * HOUR, 32 * 24 * HOUR, 370 * 24 * HOUR]

/** The newest due time after `after` whose start has come; undefined: there is none. */
export function newestDue(timing: Timing, after: Date, now: Date): DueTime | undefined {
  for (const back of LOOKS_BACK) {
    const from = now.getTime() - timing.jitterMs - back
    if (from <= after.getTime()) return newestAfter(timing, after, now)
    const newest = newestAfter(timing, new Date(from), now)
    if (newest) return newest
  }
  return newestAfter(timing, after, now)
}

function newestAfter(timing: Timing, after: Date, now: Date): DueTime | undefined {
  let newest: DueTime | undefined
  for (const time of dueTimes(timing, after)) {
    if (time.due > now) break
    if (time.start <= now) newest = time
  }
  return newest
}

function expressionFrom({ cron, tz, name }: Timing, after: Date): CronExpression {
  return CronExpressionParser.parse(cron, { currentDate: after, tz, hashSeed: name })
}

function nextOf(expression: CronExpression): Date | undefined {
  try {
    return expression.next().toDate()
  } catch {
    // It never comes: a 30th of February.
    return undefined
  }
}

/** The same on every machine. */
function delayOf({ name, jitterMs }: Timing, due: Date): number {
  if (jitterMs === 0) return 0
  const hash = createHash('sha256').update(`${name} ${due.getTime()}`).digest()
  return Math.floor((hash.readUInt32BE(0) / 2 ** 32) * jitterMs)
}

function isTimeZone(tz: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: tz })
    return true
  } catch {
    return false
  }
}
