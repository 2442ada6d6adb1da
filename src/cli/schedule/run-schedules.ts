import { join } from 'node:path'
import { aborted } from '../../async/aborted.ts'
import { every } from '../../async/every.ts'
import { within } from '../../async/within.ts'
import { messageOf } from '../../errors.ts'
import { MirrorRuns } from '../../ledger/mirror-runs.ts'
import { Schedules } from '../../ledger/schedules.ts'
import { Notifications } from '../../ledger/notifications.ts'
import type { Schedule } from '../../schedule/definition.ts'
import { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import type { ScheduleEvent } from '../../schedule/scheduled-run.ts'
import { Scheduler } from '../../schedule/scheduler.ts'
import type { Context, ExitCode } from '../command.ts'
import { endCode } from '../failure.ts'
import { openRuntime } from '../runtime.ts'
import { formatDuration } from '../../model/format.ts'
import { holdShared } from './hold-shared.ts'
import { ScheduleNews } from './news.ts'
import { startCommand } from './start-command.ts'

const TICK_MS = 1_000

/** Starts what is due, until this process is asked to stop; then every run parks. */
export async function runSchedules(context: Context): Promise<ExitCode> {
  const { config, log, out, signal } = context
  await using runtime = await openRuntime(context, 'worker')
  const { stateDir, prefix } = config.settings
  const folder = new ScheduleFolder(stateDir)
  const { client, ledger } = runtime
  const news = new ScheduleNews({
    folder,
    notifications: new Notifications(client, prefix),
    mirrors: new MirrorRuns(client, prefix),
    ledger,
    clock: () => new Date(),
  })
  const warn = (error: unknown): void => log.warn({ problem: messageOf(error) }, 'nobody could be told of a schedule')
  const scheduler = new Scheduler({
    folder,
    schedules: new Schedules(client, prefix),
    clock: () => new Date(),
    start: (schedule: Schedule, isAgain: boolean) =>
      startCommand(context, schedule, { log: folder.log(schedule.name), isAgain }),
    hold: (batch) => holdShared(context, runtime, batch),
    tell: (event, shared) => {
      tell(context, event)
      if (config.notify) void news.of(event, shared).catch(warn)
    },
    onDamaged: (name, path) => out.warn(`The schedule ${name} cannot be read, and is left out: ${path}`),
    log,
  })
  const count = (await folder.list()).length
  out.say(`Schedules of ${join(stateDir, 'schedules')}: ${count}.`)
  const ticking = every(
    TICK_MS,
    () => scheduler.tick(),
    (error) => log.warn({ problem: messageOf(error) }, 'the schedules could not be looked at'),
  )
  await aborted(signal)
  // A look that waits for a Redis that is away ends with its connection.
  const stopping = ticking.stop()
  await scheduler.close()
  await within(TICK_MS, stopping)
  return endCode(context)
}

/** Says what a person who reads the journal of a service looks for. */
function tell({ out }: Context, event: ScheduleEvent): void {
  out.record({ ...event, event: `schedule-${event.event}` })
  switch (event.event) {
    case 'started':
      out.say(`Schedule ${event.name}: ${event.again === true ? 'goes on' : 'started'}${dueText(event.due)}.`)
      return
    case 'skipped':
      out.warn(`Schedule ${event.name}${dueText(event.due)} is skipped: ${event.reason}.`)
      return
    case 'ended': {
      const { name, code, parked } = event
      if (parked !== undefined) out.say(`Schedule ${name}: parked, as ${parked}; it goes on later.`)
      else if (code === 0) out.say(`Schedule ${name}: ended well.`)
      else if (code === 10) out.say(`Schedule ${name}: parked at its stop limit; its next run goes on.`)
      else out.warn(`Schedule ${name} ended with ${code ?? 'a signal'}: dataferry schedule show ${name}`)
    }
  }
}

function dueText(due: string | undefined): string {
  if (due === undefined) return ''
  const lateMs = Date.now() - Date.parse(due)
  return lateMs < 60_000 ? ` (due at ${due})` : ` (due at ${due}, ${formatDuration(lateMs)} ago)`
}
