import { DataferryError } from '../../errors.ts'
import { Schedules, type SharedBatch } from '../../ledger/schedules.ts'
import type { Schedule } from '../../schedule/definition.ts'
import type { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import { newRunOwner, runByHand as nameByHand, ScheduledRun } from '../../schedule/scheduled-run.ts'
import { isGone } from '../../schedule/scheduler.ts'
import type { Context, ExitCode } from '../command.ts'
import { openRuntime } from '../runtime.ts'
import { holdShared } from './hold-shared.ts'
import { startCommand } from './start-command.ts'

/** `dataferry schedule run`: runs it now, here, whatever its times say. Ends as its command does. */
export async function runByHand(context: Context, folder: ScheduleFolder, schedule: Schedule): Promise<ExitCode> {
  const { config, log, signal } = context
  await using runtime = await openRuntime(context, 'worker')
  const schedules = new Schedules(runtime.client, config.settings.prefix)
  const owner = await newRunOwner()
  const { owner: other } = await schedules.read(schedule.name)
  const isDead = other && (await isGone(other))
  const { run } = await schedules.begin(schedule.name, {
    owner,
    due: undefined,
    run: nameByHand(new Date()),
    byHand: true,
    instead: isDead ? other.id : undefined,
  })
  if (run === undefined) throw busy(schedule, other)
  const deps = {
    folder,
    schedules,
    clock: () => new Date(),
    start: (one: Schedule, isAgain: boolean) => startCommand(context, one, { log: undefined, isAgain }),
    hold: (batch: SharedBatch) => holdShared(context, runtime, batch),
    tell: () => undefined,
    log,
  }
  const running = new ScheduledRun(deps, schedule, run, owner)
  const stop = (): void => running.stop()
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const code = await running.ended
  return EXITS.find((one) => one === code) ?? (signal.aborted ? 130 : 3)
}

const EXITS: readonly ExitCode[] = [0, 1, 2, 3, 10, 130]

function busy({ name }: Schedule, other: { readonly pid: number; readonly host: string } | undefined): DataferryError {
  const where = other ? `: process ${other.pid} on ${other.host} looks after it` : ''
  return new DataferryError('SCHEDULE_BUSY', `A run of ${name} still goes${where}.`)
}
