import { DataferryError } from '../../errors.ts'
import { durationMs } from '../../config/setting-values.ts'
import { checkScheduleName, type Schedule } from '../../schedule/definition.ts'
import { checkTiming } from '../../schedule/due-times.ts'
import { isHours } from '../../schedule/hours.ts'
import { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import { startsOf } from '../../schedule/starts.ts'
import type { Context, ExitCode } from '../command.ts'
import { pasted } from '../pasted.ts'
import { SCHEDULE_ACTIONS } from '../schedule/action-names.ts'
import { checkCommand } from '../schedule/check-command.ts'
import { lookAt, recordOf, printList, printShow, timeIn } from '../schedule/print.ts'
import { runByHand } from '../schedule/run-by-hand.ts'

type Action = (context: Context, folder: ScheduleFolder) => Promise<ExitCode>

const ACTIONS: Readonly<Record<(typeof SCHEDULE_ACTIONS)[number], Action>> = {
  add,
  list: async (context, folder) => {
    await printList(context, folder)
    return 0
  },
  show: async (context, folder) => {
    await printShow(context, folder, await named(context, folder))
    return 0
  },
  next,
  run: async (context, folder) => runByHand(context, folder, await named(context, folder)),
  pause: (context, folder) => setPaused(context, folder, true),
  continue: (context, folder) => setPaused(context, folder, false),
  remove,
}

/** What one word of the command line asks for. Throws `ARGUMENT_INVALID`. */
export async function run(context: Context): Promise<ExitCode> {
  const word = context.args[0] ?? ''
  const action = SCHEDULE_ACTIONS.find((name) => name === word)
  if (action) {
    checkWords(context, action)
    return ACTIONS[action](context, new ScheduleFolder(context.config.settings.stateDir))
  }
  throw refusal(`schedule has no action ${word}: use ${SCHEDULE_ACTIONS.join(', ')}.`)
}

/** Flags that say when a command runs. */
const TIMES = ['cron', 'tz', 'between', 'jitter']

/** Refuses what an action does not take: it would be passed over without a word. */
function checkWords({ args, text }: Context, action: keyof typeof ACTIONS): void {
  const [, name, ...more] = args
  if (name === undefined && action !== 'list') throw refusal(`Name the schedule: dataferry schedule ${action} NAME`)
  if (action === 'add') return
  const flag = TIMES.find((one) => text(one) !== undefined)
  if (flag !== undefined)
    throw refusal(`--${flag} goes with schedule add alone: a schedule is changed by remove and add.`)
  const extra = action === 'list' ? name : action === 'next' ? more[1] : more[0]
  if (extra !== undefined) throw refusal(`schedule ${action} does not take the word ${extra}: leave it out.`)
}

async function add(context: Context, folder: ScheduleFolder): Promise<ExitCode> {
  const { args, out, text, config } = context
  const [, given = '', ...command] = args
  const name = checkScheduleName(given)
  const cron = text('cron')
  if (cron === undefined) throw refusal("Say when: --cron '0 3 * * *' is every night at three.")
  const between = text('between')
  if (between !== undefined && !isHours(between)) {
    throw refusal(`--between: expected hours such as 20:00-06:00, not ${between}.`)
  }
  const now = new Date()
  const schedule: Schedule = {
    v: 1,
    name,
    cron,
    tz: text('tz') ?? Intl.DateTimeFormat().resolvedOptions().timeZone,
    ...(between !== undefined && { between }),
    jitterMs: readJitter(text('jitter')),
    command,
    cwd: process.cwd(),
    createdAt: now.toISOString(),
    since: now.toISOString(),
  }
  checkTiming(schedule, now)
  await checkCommand(context, command, between !== undefined)
  if ((await folder.read(name)) !== undefined) {
    throw new DataferryError('ARGUMENT_INVALID', `There is a schedule ${name} already.`, {
      advice: 'Choose another name, or remove it before you add it again:',
      command: pasted(config, 'schedule', ['remove', name]),
    })
  }
  await folder.write(schedule)
  out.record(await recordOf(schedule, await lookAt(folder, schedule, now)))
  const [first] = startsOf(schedule, now, now)
  out.line(`Schedule ${name} is kept. It runs next at ${first ? timeIn(schedule, first.start) : 'no time'},`)
  out.line('while this is running on a machine with this state folder:')
  out.line(`  ${pasted(config, 'serve', [])}`)
  return 0
}

async function next(context: Context, folder: ScheduleFolder): Promise<ExitCode> {
  const { args, out } = context
  const schedule = await named(context, folder)
  const count = args[2] === undefined ? 5 : /^\d{1,3}$/.test(args[2]) ? Number(args[2]) : 0
  if (count < 1) throw refusal(`Say how many times, from 1 to 999, not ${args[2] ?? ''}.`)
  if (schedule.pausedAt !== undefined) out.say(`${schedule.name} is paused: these are its times once it is continued.`)
  const acted = await folder.actedOn(schedule, await folder.history(schedule.name))
  let shown = 0
  for (const { due, start } of startsOf(schedule, new Date(), acted)) {
    if (++shown > count) break
    const record = { event: 'next', schedule: schedule.name, due: due.toISOString(), start: start.toISOString() }
    out.result(record, timeIn(schedule, start))
  }
  return 0
}

async function setPaused(context: Context, folder: ScheduleFolder, isPaused: boolean): Promise<ExitCode> {
  const { out } = context
  const { pausedAt, ...schedule } = await named(context, folder)
  const now = new Date().toISOString()
  if ((pausedAt !== undefined) === isPaused) {
    throw refusal(`${schedule.name} is ${isPaused ? 'paused already' : 'not paused'}.`)
  }
  // What was due during a pause was not missed.
  const changed: Schedule = isPaused ? { ...schedule, pausedAt: now } : { ...schedule, since: now }
  await folder.write(changed)
  out.record(await recordOf(changed, await lookAt(folder, changed, new Date())))
  out.line(
    isPaused
      ? `Paused ${schedule.name}: nothing is started any more. A run that goes is left alone.`
      : `Continuing ${schedule.name}.`,
  )
  return 0
}

async function remove(context: Context, folder: ScheduleFolder): Promise<ExitCode> {
  const name = checkScheduleName(context.args[1] ?? '')
  if (!(await folder.remove(name))) throw await unknownAmong(name, folder)
  context.out.result({ event: 'removed', schedule: name }, `Removed ${name} and its history.`)
  return 0
}

/** The schedule that a command line names. Rejects with `SCHEDULE_NOT_FOUND`. */
async function named({ args }: Context, folder: ScheduleFolder): Promise<Schedule> {
  const name = checkScheduleName(args[1] ?? '')
  const schedule = await folder.read(name)
  if (schedule) return schedule
  throw await unknownAmong(name, folder)
}

async function unknownAmong(name: string, folder: ScheduleFolder): Promise<DataferryError> {
  const names = (await folder.list()).map((one) => one.name)
  const known = names.length === 0 ? 'which has none' : `which has ${names.join(', ')}`
  return new DataferryError('SCHEDULE_NOT_FOUND', `There is no schedule ${name} in this state folder, ${known}.`)
}

function readJitter(text: string | undefined): number {
  if (text === undefined) return 0
  const parsed = durationMs(0).safeParse(text)
  if (parsed.success) return parsed.data
  throw refusal(`--jitter: expected a duration with its unit, such as 10m, not ${text}.`)
}

function refusal(message: string): DataferryError {
  return new DataferryError('ARGUMENT_INVALID', message)
}
