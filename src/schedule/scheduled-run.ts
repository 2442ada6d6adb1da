import { randomUUID } from 'node:crypto'
import { every } from '../async/every.ts'
import { messageOf } from '../errors.ts'
import type { RunOwner, Schedules, SharedBatch } from '../ledger/schedules.ts'
import type { Logger } from '../log.ts'
import { ownProcess, type ProcessIdentity } from '../process/process-identity.ts'
import type { Schedule } from './definition.ts'
import type { HistoryLine } from './history.ts'
import type { ScheduleFolder } from './schedule-folder.ts'

/** The process of a scheduled command. */
export interface CommandProcess {
  /** Undefined when it could not be started. */
  readonly identity: ProcessIdentity | undefined
  readonly ended: Promise<CommandEnd>
  /** Resolves once workers have its batch; undefined: it ended without. */
  readonly shared: Promise<SharedBatch | undefined>
  /** Asks it to park what it does and to end with 10. @param why a clause for people */
  park(why: string): void
  /** Asks it to end, as Ctrl-C does. */
  stop(): void
}

export interface CommandEnd {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined
  /** Path or URL of its report. */
  readonly report?: string | undefined
  /** The end of what it said on standard error. */
  readonly said?: string | undefined
}

/** What a scheduler does, and tells. */
export type ScheduleEvent = { readonly name: string } & HistoryLine

/** What a scheduler needs beside what its runs need. */
export interface SchedulerDeps extends RunDeps {
  /** Told once of a definition that cannot be read. */
  readonly onDamaged: (name: string, path: string) => void
}

export interface RunDeps {
  readonly folder: ScheduleFolder
  readonly schedules: Pick<Schedules, 'read' | 'begin' | 'renew' | 'end' | 'forget'>
  readonly clock: () => Date
  /** @param isAgain it goes on with a run that was interrupted, and so with its batch */
  readonly start: (schedule: Schedule, isAgain: boolean) => Promise<CommandProcess>
  /** Has the workers park what they have of a batch, until its command is started again. */
  readonly hold: (batch: SharedBatch) => Promise<void>
  /** @param shared the batch of its run that workers had */
  readonly tell: (event: ScheduleEvent, shared?: SharedBatch) => void
  readonly log: Logger
}

const RENEW_MS = 5_000
/** A command whose process dies is begun again so often. */
const MOST_DEATHS = 3
/** Of what a command said, so much of the end is kept. */
const LONGEST_SAID = 2_000

export async function newRunOwner(): Promise<RunOwner> {
  return { id: randomUUID(), ...(await ownProcess()) }
}

/** The name of the run of a due time. */
export function runOf(due: Date): string {
  return due.toISOString()
}

const BY_HAND = 'by hand '

/** The name of a run that a person starts. */
export function runByHand(now: Date): string {
  return `${BY_HAND}${now.toISOString()}`
}

/** The due time of a run; undefined: a person started it. */
function dueOf(run: string): string | undefined {
  return run.startsWith(BY_HAND) ? undefined : run
}

/** One run of a schedule that this process looks after, from the claim to its record in the history. */
export class ScheduledRun {
  /** Resolves when its command has been started, or is not to be; never rejects. */
  readonly started: Promise<void>
  /** Resolves to the exit code when all is on record; never rejects. */
  readonly ended: Promise<number | undefined>
  readonly #deps: RunDeps
  readonly #schedule: Schedule
  readonly #run: string
  #owner: RunOwner
  #command: CommandProcess | undefined
  #parkWhy: string | undefined
  #isStopped = false
  /** Somebody else looks after the run, and records its end. */
  #isLost = false

  /** @param owner whose claim on the run holds already */
  constructor(deps: RunDeps, schedule: Schedule, run: string, owner: RunOwner) {
    this.#deps = deps
    this.#schedule = schedule
    this.#run = run
    this.#owner = owner
    const starting = this.#start()
    this.started = starting.then(
      () => undefined,
      () => undefined,
    )
    this.ended = this.#carryOut(starting)
  }

  /** Has it park at the byte, to go on later. */
  park(why: string): void {
    if (this.#parkWhy !== undefined) return
    this.#parkWhy = why
    this.#command?.park(why)
  }

  /** Has it end: the scheduler ends, too. */
  stop(): void {
    this.#isStopped = true
    this.#command?.stop()
  }

  async #carryOut(starting: Promise<Started | undefined>): Promise<number | undefined> {
    const { log } = this.#deps
    try {
      const started = await starting
      if (started) return await this.#watch(started)
      await this.#release(false)
      return undefined
    } catch (error) {
      log.warn({ err: error, schedule: this.#schedule.name }, 'a scheduled run could not be carried out')
      await this.#end({ code: 3, said: messageOf(error) }, undefined)
      return 3
    }
  }

  /** @returns undefined: there is nothing to start */
  async #start(): Promise<Started | undefined> {
    const begun = await this.#begin()
    if (begun === undefined) return undefined
    const { isAgain, deaths } = begun
    const command = await this.#deps.start(this.#schedule, isAgain)
    this.#command = command
    if (command.identity) this.#owner = { ...this.#owner, command: command.identity }
    if (this.#isStopped) command.stop()
    else if (this.#parkWhy !== undefined) command.park(this.#parkWhy)
    return { command, deaths }
  }

  async #watch({ command, deaths }: Started): Promise<number | undefined> {
    const { log } = this.#deps
    const heard = (error: unknown): void => log.debug({ err: error }, 'a claim could not be renewed')
    await this.#renew().catch(heard)
    void command.shared.then((shared) => {
      if (shared) this.#owner = { ...this.#owner, shared }
      return shared && this.#renew().catch(heard)
    })
    const renewing = every(RENEW_MS, () => this.#renew(), heard)
    const end = await command.ended
    await renewing.stop()
    if (end.code === undefined) await this.#holdBatch()
    await this.#end(end, this.#whyParked(end, deaths))
    return end.code
  }

  /** Killed, a command could not have the workers park: beyond its hours they would go on. */
  async #holdBatch(): Promise<void> {
    const { hold, log } = this.#deps
    const { shared } = this.#owner
    if (this.#schedule.between === undefined || !shared || this.#isLost) return
    await hold(shared).catch((error: unknown) => log.warn({ batch: shared.id, problem: messageOf(error) }, 'not held'))
  }

  async #end({ code, report, said }: CommandEnd, parked: string | undefined): Promise<void> {
    if (this.#isLost) return
    await this.#record({
      v: 1,
      at: this.#deps.clock().toISOString(),
      event: 'ended',
      run: this.#run,
      ...(code !== undefined && { code }),
      ...(parked !== undefined && { parked }),
      ...(report !== undefined && { report }),
      ...(said !== undefined && said !== '' && code !== 0 && { said: said.slice(-LONGEST_SAID) }),
    })
    await this.#release(parked !== undefined)
  }

  /** Writes that it starts. @returns whether it did before, and how often its process has died; undefined: it has ended before */
  async #begin(): Promise<{ readonly isAgain: boolean; readonly deaths: number } | undefined> {
    const lines = (await this.#deps.folder.history(this.#schedule.name)).filter(
      (line) => 'run' in line && line.run === this.#run,
    )
    const last = lines.at(-1)
    const isAgain = lines.length > 0
    if (last?.event === 'ended' && last.parked === undefined) return undefined
    // It was parked by an earlier schedule of this name.
    if (this.#run.replace(BY_HAND, '') < this.#schedule.createdAt) return undefined
    const due = dueOf(this.#run)
    const { host, space, pid, startTime } = this.#owner
    await this.#record({
      v: 1,
      at: this.#deps.clock().toISOString(),
      event: 'started',
      run: this.#run,
      ...(due !== undefined && { due }),
      ...(isAgain && { again: true }),
      by: { host, space, pid, startTime },
    })
    return { isAgain, deaths: lines.filter((line) => line.event === 'ended' && line.parked === DIED).length }
  }

  /** Why it is to go on later; undefined: it has ended. */
  #whyParked({ code }: CommandEnd, deaths: number): string | undefined {
    if (code === 10 && this.#parkWhy !== undefined) return this.#parkWhy
    const isCut = code === undefined || code === 130 || code === 10
    // Who started it by hand stopped it by hand.
    if (this.#isStopped && isCut) return dueOf(this.#run) === undefined ? undefined : 'the scheduler was stopped'
    // A person may have stopped it by hand (130): that is an end.
    return code === undefined && dueOf(this.#run) !== undefined && deaths < MOST_DEATHS ? DIED : undefined
  }

  async #renew(): Promise<void> {
    const due = Date.parse(dueOf(this.#run) ?? '') || 0
    const isOurs = await this.#deps.schedules.renew(this.#schedule.name, this.#run, this.#owner, due)
    // This process was silent for so long that another one took the run over.
    if (isOurs) return
    this.#isLost = true
    this.#command?.stop()
  }

  async #record(line: HistoryLine): Promise<void> {
    const { folder, tell, log } = this.#deps
    const { name } = this.#schedule
    tell({ name, ...line }, this.#owner.shared)
    // Should the schedule have been removed, or the disk be full, the run matters more.
    await folder.record(name, line).catch((error: unknown) => log.warn({ schedule: name, problem: messageOf(error) }))
  }

  async #release(goesOn: boolean): Promise<void> {
    const { schedules, log } = this.#deps
    const done = schedules.end(this.#schedule.name, this.#owner, goesOn)
    await done.catch((error: unknown) => log.warn({ schedule: this.#schedule.name, problem: messageOf(error) }))
  }
}

interface Started {
  readonly command: CommandProcess
  /** How often its process has died before. */
  readonly deaths: number
}

const DIED = 'its process died'
