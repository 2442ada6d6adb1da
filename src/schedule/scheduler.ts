import { messageOf } from '../errors.ts'
import type { RunOwner } from '../ledger/schedules.ts'
import { livenessOf } from '../process/process-identity.ts'
import type { Schedule } from './definition.ts'
import { newestDue } from './due-times.ts'
import { mayRunAt } from './hours.ts'
import { lastDueOf, runsOf, stateOf, type HistoryLine } from './history.ts'
import { newRunOwner, runOf, ScheduledRun, type SchedulerDeps } from './scheduled-run.ts'

/** A due time that lies further ahead was acted on by a clock that was wrong. */
const AHEAD_MS = 24 * 3_600_000

const HOURS_END = 'its hours have ended'

/**
 * Starts the commands of a state folder's schedules when they are due. Any number of schedulers may share one Redis: each due time is
 * acted on once. A run that still goes has its next due times skipped; what was missed while no scheduler ran is made up once.
 */
export class Scheduler {
  readonly #deps: SchedulerDeps
  readonly #going = new Map<string, ScheduledRun>()
  /** The newest due time of each, as it is kept beside its definition. */
  readonly #heard = new Map<string, number>()
  readonly #damaged = new Set<string>()
  #isClosed = false

  constructor(deps: SchedulerDeps) {
    this.#deps = deps
  }

  /** Looks once at every schedule. Rejects when none could be looked at; a single one that fails is logged. */
  async tick(): Promise<void> {
    const { folder, log } = this.#deps
    const schedules = await folder.list((name, path) => {
      if (!this.#damaged.has(name)) this.#deps.onDamaged(name, path)
      this.#damaged.add(name)
    })
    for (const schedule of schedules) {
      if (this.#isClosed) return
      await this.#look(schedule).catch((error: unknown) =>
        log.warn({ schedule: schedule.name, problem: messageOf(error) }, 'a schedule could not be looked at'),
      )
    }
  }

  /** Has every run park, and waits until each is on record. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const run of this.#going.values()) run.stop()
    await Promise.all([...this.#going.values()].map((run) => run.ended))
  }

  async #look(schedule: Schedule): Promise<void> {
    const { schedules, clock } = this.#deps
    const { name } = schedule
    const now = clock()
    if (!mayRunAt(schedule, now)) {
      const going = this.#going.get(name)
      if (going) going.park(HOURS_END)
      else await this.#holdOrphan(name)
      return
    }
    if (schedule.pausedAt !== undefined) return
    let state = await schedules.read(name)
    if (state.due > now.getTime() + AHEAD_MS && state.owner === undefined) {
      // A clock was ahead once: until it is as late as that, nothing would be due.
      this.#deps.log.warn({ schedule: name, due: new Date(state.due) }, 'a due time that is far ahead was forgotten')
      await schedules.forget(name)
      state = { ...state, due: 0, run: undefined }
    }
    const known = await this.#known(schedule, state.due)
    const due = newestDue(schedule, known.due, now)
    const isGoing = this.#going.has(name)
    // A Redis that was lost learns of the run in a moment.
    if (isGoing && state.run === undefined) return
    const isDead = state.owner !== undefined && (await isGone(state.owner))
    const isFree = !isGoing && (state.owner === undefined || state.isSilent || isDead)
    const isOpen = isFree && (state.run ?? known.open) !== undefined
    const isForgotten = state.due < known.due.getTime()
    if (!due && !isOpen && !isForgotten) return
    const owner = await newRunOwner()
    const begun = await schedules.begin(name, {
      owner,
      due: due?.due.getTime(),
      run: due ? runOf(due.due) : '',
      known: { due: known.due.getTime(), open: isGoing ? undefined : known.open },
      instead: isFree && isDead ? state.owner?.id : undefined,
    })
    if (begun.what === 'overlaps' && due) await this.#skip(name, due.due, state.run)
    if (begun.run === undefined) return
    const run = new ScheduledRun(this.#deps, schedule, begun.run, owner)
    this.#going.set(name, run)
    void run.ended.then(() => this.#going.delete(name))
    await run.started
  }

  /** Outside its hours: whoever looked after the run has died with its command, and workers may still have its batch. */
  async #holdOrphan(name: string): Promise<void> {
    const { schedules, hold } = this.#deps
    const { owner, isSilent } = await schedules.read(name)
    if (!owner?.shared || !(isSilent || (await isGone(owner)))) return
    await hold(owner.shared)
    await schedules.end(name, owner, true)
  }

  /** What is known without Redis: the newest due time that was acted on, and a run that nobody looks after any more. */
  async #known(
    { name, since }: Schedule,
    dueInRedis: number,
  ): Promise<{ readonly due: Date; readonly open: string | undefined }> {
    const { folder } = this.#deps
    const heard = this.#heard.get(name)
    if (heard !== undefined && heard <= dueInRedis && dueInRedis > 0) {
      if (heard < dueInRedis) await this.#hear(name, dueInRedis)
      return { due: new Date(Math.max(Date.parse(since), dueInRedis)), open: undefined }
    }
    // The first look, or one at a Redis that was lost or set back.
    const lines = await folder.history(name)
    const kept = (await folder.lastDue(name))?.getTime() ?? 0
    const latest = this.#deps.clock().getTime() + AHEAD_MS
    const times = [Date.parse(since), dueInRedis, kept, lastDueOf(lines)?.getTime() ?? 0]
    const due = Math.max(...times.filter((time) => time <= latest), 0)
    if (heard === undefined || heard > latest) await this.#hear(name, due)
    return { due: new Date(due), open: await openRun(lines) }
  }

  async #hear(name: string, due: number): Promise<void> {
    await this.#deps.folder.setLastDue(name, new Date(due))
    this.#heard.set(name, due)
  }

  async #skip(name: string, due: Date, running: string | undefined): Promise<void> {
    const { folder, clock, tell } = this.#deps
    const reason = running === undefined ? 'an earlier run still goes' : `the run of ${running} still goes`
    const line: HistoryLine = { v: 1, at: clock().toISOString(), event: 'skipped', due: due.toISOString(), reason }
    tell({ name, ...line })
    await folder.record(name, line)
  }
}

/** Whether nobody looks after a run any more: its scheduler is proven dead, and its command, too. */
export async function isGone({ command, ...process }: RunOwner): Promise<boolean> {
  if ((await livenessOf(process)) !== 'dead') return false
  // Its command parks by itself, and may take a while.
  return command === undefined || (await livenessOf(command)) === 'dead'
}

/** The last run of this history, where it was parked or its process is proven dead. */
async function openRun(lines: readonly HistoryLine[]): Promise<string | undefined> {
  const last = runsOf(lines).at(-1)
  const state = last && (await stateOf(last))
  return state === 'parked' || state === 'interrupted' ? last?.run : undefined
}
