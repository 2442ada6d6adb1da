import { existsSync } from 'node:fs'
import { commandText, type Schedule } from '../../schedule/definition.ts'
import { runsOf, stateOf, type HistoryLine, type Run } from '../../schedule/history.ts'
import type { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import { startsOf } from '../../schedule/starts.ts'
import type { Context } from '../command.ts'
import { formatDuration } from '../../model/format.ts'

/** Runs that `show` lists. */
const SHOWN = 10

/** `2026-11-28 03:00:00 CET`, in the zone of the schedule. */
export function timeIn({ tz }: Pick<Schedule, 'tz'>, at: Date): string {
  return new Intl.DateTimeFormat('sv-SE', {
    timeZone: tz,
    dateStyle: 'short',
    timeStyle: 'long',
  }).format(at)
}

/** What is known of a schedule on this machine. */
interface Seen {
  readonly lines: readonly HistoryLine[]
  readonly runs: readonly Run[]
  /** Undefined: it is paused, or its time never comes. */
  readonly next: Date | undefined
}

/** Looks at a schedule once, for all that is printed of it. */
export async function lookAt(folder: ScheduleFolder, schedule: Schedule, now: Date): Promise<Seen> {
  const lines = await folder.history(schedule.name)
  const runs = runsOf(lines)
  if (schedule.pausedAt !== undefined) return { lines, runs, next: undefined }
  const [first] = startsOf(schedule, now, await folder.actedOn(schedule, lines))
  return { lines, runs, next: first?.start }
}

/** A schedule with its next start and its last run, as JSON. */
export async function recordOf(schedule: Schedule, { runs, next }: Seen): Promise<Readonly<Record<string, unknown>>> {
  const last = runs.at(-1)
  return {
    event: 'schedule',
    ...schedule,
    next: next?.toISOString() ?? null,
    last: last ? await runRecord(last) : null,
  }
}

/** `dataferry schedule list`. */
export async function printList({ out }: Context, folder: ScheduleFolder): Promise<void> {
  const now = new Date()
  const schedules = await folder.list((name, path) => out.warn(`The schedule ${name} cannot be read: ${path}`))
  if (schedules.length === 0) out.line('There is no schedule in this state folder.')
  for (const schedule of schedules) {
    const seen = await lookAt(folder, schedule, now)
    out.record(await recordOf(schedule, seen))
    if (out.json) continue
    const last = seen.runs.at(-1)
    const next = schedule.pausedAt !== undefined ? 'paused' : seen.next ? timeIn(schedule, seen.next) : 'never'
    out.line(schedule.name, 'bold')
    out.line(`  next  ${next}`, schedule.pausedAt === undefined ? 'plain' : 'warn')
    if (last) out.line(`  last  ${await runText(schedule, last)}`, toneOf(last))
    out.line(`  runs  ${commandText(schedule)}`)
  }
}

/** `dataferry schedule show`. */
export async function printShow({ out }: Context, folder: ScheduleFolder, schedule: Schedule): Promise<void> {
  const seen = await lookAt(folder, schedule, new Date())
  const { lines, runs, next } = seen
  out.record(await recordOf(schedule, seen))
  for (const run of runs) out.record({ event: 'run', schedule: schedule.name, ...(await runRecord(run)) })
  for (const line of skipped(lines)) out.record({ schedule: schedule.name, ...line })
  if (out.json) return
  const { name, cron, tz, between, jitterMs, cwd, pausedAt } = schedule
  out.line(name, 'bold')
  out.line(`  runs     ${commandText(schedule)}`)
  out.line(`  in       ${cwd}`)
  out.line(`  at       ${cron} (${tz})`)
  if (between !== undefined) out.line(`  between  ${between}`)
  if (jitterMs > 0) out.line(`  jitter   up to ${formatDuration(jitterMs)}`)
  if (pausedAt !== undefined) out.line(`  paused   since ${timeIn(schedule, new Date(pausedAt))}`, 'warn')
  else if (next) out.line(`  next     ${timeIn(schedule, next)}`)
  const log = folder.log(name)
  if (existsSync(log)) out.line(`  output   ${log}`)
  for (const run of runs.slice(-SHOWN).reverse()) {
    out.line(`  ${await runText(schedule, run)}`, toneOf(run))
    if (run.report !== undefined) out.line(`    ${run.report}`)
    if (run.said !== undefined && run.code !== 0) out.paragraph(`    ${lastLine(run.said)}`)
  }
  for (const line of skipped(lines).slice(-SHOWN))
    out.line(`  skipped ${timeIn(schedule, new Date(line.due))}: ${line.reason}`, 'warn')
  if (runs.length === 0) out.line('  It has not run yet.')
}

function skipped(lines: readonly HistoryLine[]): readonly Extract<HistoryLine, { event: 'skipped' }>[] {
  return lines.flatMap((line) => (line.event === 'skipped' ? [line] : []))
}

async function runRecord(run: Run): Promise<Readonly<Record<string, unknown>>> {
  const { due, startedAt, endedAt, code, parked, report, said } = run
  const facts = { due: due ?? null, startedAt, endedAt: endedAt ?? null, exit: code ?? null }
  return { ...facts, state: await stateOf(run), parked: parked ?? null, report: report ?? null, said: said ?? null }
}

async function runText(schedule: Schedule, run: Run): Promise<string> {
  const began = timeIn(schedule, new Date(run.startedAt))
  const by = run.due === undefined ? ', by hand' : ''
  const tookMs = run.endedAt === undefined ? 0 : Date.parse(run.endedAt) - Date.parse(run.startedAt)
  switch (await stateOf(run)) {
    case 'running':
      return `${began}${by}  running`
    case 'interrupted':
      return `${began}${by}  interrupted: its process died; it goes on when \`dataferry serve\` runs`
    case 'parked':
      return `${began}${by}  parked, to go on: ${run.parked ?? ''}`
    case 'ended':
      if (run.code === 10) return `${began}${by}  parked at its stop limit after ${formatDuration(tookMs)}`
      return `${began}${by}  ended with ${run.code ?? 'a signal'} after ${formatDuration(tookMs)}`
  }
}

function toneOf({ endedAt, code, parked }: Run): 'plain' | 'good' | 'bad' {
  if (endedAt === undefined || parked !== undefined || code === 10) return 'plain'
  return code === 0 ? 'good' : 'bad'
}

function lastLine(text: string): string {
  return text.split('\n').at(-1)?.slice(0, 300) ?? ''
}
