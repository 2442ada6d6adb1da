import { commandText, type Schedule } from '../schedule/definition.ts'
import { runsOf, stateOf, type Run } from '../schedule/history.ts'
import type { ScheduleFolder } from '../schedule/schedule-folder.ts'
import { startsOf } from '../schedule/starts.ts'
import { lastLines } from '../model/last-lines.ts'
import type { ScheduleView } from './api/schemas.ts'

const NEXT = 3
const RUNS = 5
const SAID = 300

/** The schedules of this machine's state folder, with what will happen and what happened. */
export async function scheduleViews(folder: ScheduleFolder, now: Date): Promise<ScheduleView[]> {
  const schedules = await folder.list()
  return Promise.all(schedules.map((one) => scheduleView(folder, one, now)))
}

async function scheduleView(folder: ScheduleFolder, schedule: Schedule, now: Date): Promise<ScheduleView> {
  const history = await folder.history(schedule.name)
  const { name, cron, tz, between, pausedAt } = schedule
  const runs = runsOf(history).slice(-RUNS).reverse()
  const last = history.findLast((line) => line.event === 'skipped')
  return {
    name,
    command: commandText(schedule),
    cron,
    tz,
    between: between ?? null,
    paused: pausedAt !== undefined,
    next: pausedAt === undefined ? nextOf(schedule, now, await folder.actedOn(schedule, history)) : [],
    runs: await Promise.all(runs.map(runView)),
    lastSkipped: last ? { due: last.due, reason: last.reason } : null,
  }
}

function nextOf(schedule: Schedule, now: Date, acted: Date): string[] {
  const times: string[] = []
  for (const { start } of startsOf(schedule, now, acted)) {
    times.push(start.toISOString())
    if (times.length === NEXT) break
  }
  return times
}

async function runView(run: Run): Promise<ScheduleView['runs'][number]> {
  const { startedAt, endedAt, code, parked, report, said } = run
  return {
    startedAt,
    endedAt: endedAt ?? null,
    running: (await stateOf(run)) === 'running',
    code: code ?? null,
    parked: parked ?? null,
    report: report ?? null,
    said: said === undefined ? null : lastLines(said, SAID),
  }
}
