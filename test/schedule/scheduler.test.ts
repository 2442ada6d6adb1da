import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Schedules, type SharedBatch } from '../../src/ledger/schedules.ts'
import { createLogger } from '../../src/log.ts'
import { describeProcess, ownProcess } from '../../src/process/process-identity.ts'
import type { Schedule } from '../../src/schedule/definition.ts'
import { runsOf } from '../../src/schedule/history.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import { ScheduledRun, type CommandEnd, type CommandProcess } from '../../src/schedule/scheduled-run.ts'
import { Scheduler } from '../../src/schedule/scheduler.ts'
import { useRedis } from '../redis.ts'

const redis = useRedis()

/** A command that a test ends when it likes. */
class Command implements CommandProcess {
  identity: CommandProcess['identity'] = undefined
  readonly parked: string[] = []
  isStopped = false
  end: (end: CommandEnd) => void = () => undefined
  readonly ended = new Promise<CommandEnd>((resolve) => (this.end = resolve))
  share: (batch: SharedBatch) => void = () => undefined
  readonly shared = new Promise<SharedBatch | undefined>((resolve) => (this.share = resolve))

  park(why: string): void {
    this.parked.push(why)
  }

  stop(): void {
    this.isStopped = true
    this.end({ code: 130 })
  }
}

/** A machine: a state folder, a scheduler, and a clock that is set by hand. */
class Machine {
  now: Date
  readonly started: Command[] = []
  /** Of each start, whether it was said to go on with an earlier one. */
  readonly goesOn: boolean[] = []
  readonly damaged: string[] = []
  readonly held: string[] = []
  readonly folder: ScheduleFolder
  scheduler: Scheduler
  readonly #prefix: string
  /** A state folder may be shared with another machine. */
  constructor(prefix: string, now: string, stateDir: string) {
    this.#prefix = prefix
    this.now = new Date(now)
    this.folder = new ScheduleFolder(stateDir)
    this.scheduler = this.newScheduler()
  }

  /** As after a restart: nothing is remembered but what is on disk and in Redis. */
  newScheduler(): Scheduler {
    return new Scheduler({
      folder: this.folder,
      schedules: new Schedules(redis.client, this.#prefix),
      clock: () => this.now,
      start: (_, isAgain) => {
        const command = new Command()
        this.goesOn.push(isAgain)
        this.started.push(command)
        return Promise.resolve(command)
      },
      hold: ({ id }) => Promise.resolve(void this.held.push(id)),
      tell: () => undefined,
      onDamaged: (name) => this.damaged.push(name),
      log: createLogger('silent'),
    })
  }

  async at(time: string): Promise<void> {
    this.now = new Date(time)
    await this.scheduler.tick()
  }

  async end(at: number, end: CommandEnd): Promise<void> {
    const lines = (await this.folder.history('n')).length
    this.started[at]?.end(end)
    await expect.poll(async () => (await this.folder.history('n')).length).toBeGreaterThan(lines)
    await expect.poll(async () => (await new Schedules(redis.client, this.#prefix).read('n')).owner).toBeUndefined()
  }
}

let folder: string
let prefix: string
let round = 0
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'df-schedule-'))
  prefix = `${redis.prefix}:${++round}`
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const SINCE = '2026-11-27T00:00:00.000Z'
const schedule = (more: Partial<Schedule> = {}): Schedule => ({
  v: 1,
  name: 'n',
  cron: '0 3 * * *',
  tz: 'UTC',
  jitterMs: 0,
  command: ['run', 'list.csv'],
  cwd: '/',
  createdAt: SINCE,
  since: SINCE,
  ...more,
})

async function machine(name = 'a', more: Partial<Schedule> = {}): Promise<Machine> {
  const one = new Machine(prefix, SINCE, join(folder, name))
  await one.folder.write(schedule(more))
  return one
}

const runs = async (one: Machine) => runsOf(await one.folder.history('n'))
const skips = async (one: Machine) => (await one.folder.history('n')).filter(({ event }) => event === 'skipped')

it('a command starts at its time, not before, and once, and its end is on record', async () => {
  const one = await machine()
  await one.at('2026-11-27T02:59:59Z')
  expect(one.started).toHaveLength(0)
  await one.at('2026-11-27T03:00:00Z')
  expect(one.started).toHaveLength(1)
  await one.at('2026-11-27T03:00:01Z')
  expect(one.started).toHaveLength(1)
  await one.end(0, { code: 0, report: '/data/.dataferry/b/report.json' })
  await one.at('2026-11-27T03:00:02Z')
  expect(one.started).toHaveLength(1)
  expect(await runs(one)).toMatchObject([
    { due: '2026-11-27T03:00:00.000Z', code: 0, report: '/data/.dataferry/b/report.json' },
  ])
})

it('what was missed while nothing ran is made up once, by the newest due time', async () => {
  const one = await machine()
  await one.at('2026-12-05T12:00:00Z')
  expect(one.started).toHaveLength(1)
  expect(await runs(one)).toMatchObject([{ due: '2026-12-05T03:00:00.000Z' }])
  await one.end(0, { code: 0 })
  one.scheduler = one.newScheduler()
  await one.at('2026-12-05T12:00:05Z')
  expect(one.started).toHaveLength(1)
})

it('a due time at which the last run still goes is skipped, and said, each once', async () => {
  const one = await machine('a', { cron: '0 * * * *' })
  await one.at('2026-11-27T03:00:00Z')
  await one.at('2026-11-27T04:00:00Z')
  await one.at('2026-11-27T04:00:01Z')
  await one.at('2026-11-27T05:30:00Z')
  expect(one.started).toHaveLength(1)
  expect(await skips(one)).toMatchObject([
    { due: '2026-11-27T04:00:00.000Z', reason: 'the run of 2026-11-27T03:00:00.000Z still goes' },
    { due: '2026-11-27T05:00:00.000Z' },
  ])
  await one.end(0, { code: 1, said: 'two files failed' })
  await one.at('2026-11-27T05:31:00Z')
  expect(one.started).toHaveLength(1)
  expect(await runs(one)).toMatchObject([{ code: 1, said: 'two files failed' }])
  await one.at('2026-11-27T06:00:00Z')
  expect(one.started).toHaveLength(2)
})

describe('two machines on one Redis', () => {
  it('start each due time once, wherever their state folders are', async () => {
    const [a, b] = [await machine('a'), await machine('b')]
    for (const day of ['27', '28', '29']) {
      const time = `2026-11-${day}T03:00:00Z`
      await Promise.all([a.at(time), b.at(time)])
      expect(a.started.length + b.started.length).toBe(Number(day) - 26)
      const isOnA = (await runs(a)).some(({ endedAt }) => endedAt === undefined)
      const runner = isOnA ? a : b
      await runner.end(runner.started.length - 1, { code: 0 })
    }
    expect((await skips(a)).concat(await skips(b))).toEqual([])
  })

  it('a run that goes on one is not begun on the other, and only one says that it was skipped', async () => {
    const [a, b] = [await machine('a'), await machine('b')]
    await a.at('2026-11-27T03:00:00Z')
    await Promise.all([a.at('2026-11-28T03:00:00Z'), b.at('2026-11-28T03:00:00Z')])
    expect([a.started.length, b.started.length]).toEqual([1, 0])
    expect((await skips(a)).length + (await skips(b)).length).toBe(1)
  })
})

describe('a scheduler that was killed', () => {
  /** Claims a due time as a process that dies before its command starts. */
  async function claimedByDead(due: string): Promise<void> {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
    const identity = await describeProcess(child.pid ?? 0)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const schedules = new Schedules(redis.client, prefix)
    const owner = { id: 'dead', ...identity }
    const begun = await schedules.begin('n', { owner, due: Date.parse(due), run: due })
    expect(begun.what).toBe('begun')
  }

  it('between its claim and the batch has its run taken over, once', async () => {
    await claimedByDead('2026-11-27T03:00:00.000Z')
    const [a, b] = [await machine('a'), await machine('b')]
    await Promise.all([a.at('2026-11-27T03:00:05Z'), b.at('2026-11-27T03:00:05Z')])
    expect(a.started.length + b.started.length).toBe(1)
  })

  it('is not taken for dead while its command still parks', async () => {
    const owner = { id: 'dead', ...(await ownProcess()), startTime: '1', command: await ownProcess() }
    const schedules = new Schedules(redis.client, prefix)
    await schedules.begin('n', { owner, due: Date.parse(SINCE) + 1, run: SINCE })
    const one = await machine()
    await one.at('2026-11-27T02:00:00Z')
    expect(one.started).toHaveLength(0)
  })

  it('on another machine is waited for until it has been silent for a minute', async () => {
    const owner = { id: 'far', ...(await ownProcess()), space: 'another machine' }
    await new Schedules(redis.client, prefix).begin('n', { owner, due: Date.parse(SINCE) + 1, run: SINCE })
    const one = await machine()
    await one.at('2026-11-27T02:00:00Z')
    expect(one.started).toHaveLength(0)
    await redis.client.hset(`${prefix}:schedule:n`, 'seen', String(Date.now() - 61_000))
    await one.at('2026-11-27T02:00:01Z')
    expect(one.started).toHaveLength(1)
  })

  it('after it had recorded the end begins nothing twice', async () => {
    const run = '2026-11-27T03:00:00.000Z'
    await claimedByDead(run)
    const one = await machine()
    const by = await ownProcess()
    await one.folder.record('n', { v: 1, at: run, event: 'started', run, due: run, by })
    await one.folder.record('n', { v: 1, at: run, event: 'ended', run, code: 0 })
    await one.at('2026-11-27T03:00:05Z')
    expect(one.started).toHaveLength(0)
    await one.at('2026-11-28T03:00:00Z')
    expect(one.started).toHaveLength(1)
  })
})

describe('a Redis that was lost', () => {
  const lose = () => redis.client.del(`${prefix}:schedule:n`)

  it('loses no schedule, and begins nothing again that was done', async () => {
    const one = await machine()
    await one.at('2026-11-27T03:00:00Z')
    await one.end(0, { code: 0 })
    await lose()
    await one.at('2026-11-27T03:10:00Z')
    one.scheduler = one.newScheduler()
    await one.at('2026-11-27T03:20:00Z')
    expect(one.started).toHaveLength(1)
    await one.at('2026-11-28T03:00:00Z')
    expect(one.started).toHaveLength(2)
  })

  it('on a machine that only heard of the run, neither', async () => {
    const [a, b] = [await machine('a'), await machine('b')]
    await a.at('2026-11-27T03:00:00Z')
    await a.end(0, { code: 0 })
    await b.at('2026-11-27T03:00:30Z')
    await lose()
    b.scheduler = b.newScheduler()
    await b.at('2026-11-27T03:10:00Z')
    expect(b.started).toHaveLength(0)
  })

  it('while a run goes learns of it again, and it is not begun beside itself', async () => {
    const one = await machine('a', { cron: '0 * * * *' })
    await one.at('2026-11-27T03:00:00Z')
    await lose()
    await one.at('2026-11-27T04:00:00Z')
    expect(one.started).toHaveLength(1)
    const schedules = new Schedules(redis.client, prefix)
    await expect.poll(async () => (await schedules.read('n')).run).toBe('2026-11-27T03:00:00.000Z')
    await one.at('2026-11-27T04:00:10Z')
    expect(one.started).toHaveLength(1)
    expect(await skips(one)).toMatchObject([{ due: '2026-11-27T04:00:00.000Z' }])
  })

  it('after a crash in the middle of a run goes on with it', async () => {
    const one = await machine()
    const run = '2026-11-27T03:00:00.000Z'
    const by = { ...(await ownProcess()), startTime: '1' }
    await one.folder.record('n', { v: 1, at: run, event: 'started', run, due: run, by })
    await one.at('2026-11-27T03:10:00Z')
    expect(one.started).toHaveLength(1)
    expect(await runs(one)).toMatchObject([{ run, again: 1 }])
    expect(one.goesOn).toEqual([true])
  })
})

describe('hours', () => {
  it('park a run at their end, which goes on in the next ones; its next due time is skipped', async () => {
    const one = await machine('a', { cron: '0 21 * * *', between: '20:00-06:00' })
    await one.at('2026-11-27T21:00:00Z')
    await one.at('2026-11-28T05:59:00Z')
    expect(one.started[0]?.parked).toEqual([])
    await one.at('2026-11-28T06:00:00Z')
    await one.at('2026-11-28T06:00:01Z')
    expect(one.started[0]?.parked).toEqual(['its hours have ended'])
    await one.end(0, { code: 10 })
    await one.at('2026-11-28T12:00:00Z')
    expect(one.started).toHaveLength(1)
    await one.at('2026-11-28T20:00:00Z')
    expect(one.started).toHaveLength(2)
    await one.at('2026-11-28T21:00:00Z')
    await one.end(1, { code: 0 })
    expect(await runs(one)).toMatchObject([{ due: '2026-11-27T21:00:00.000Z', again: 1, code: 0 }])
    expect(await skips(one)).toMatchObject([{ due: '2026-11-28T21:00:00.000Z' }])
  })

  const batch = { id: 'b1', destination: 'file:///data' }
  const sharedOf = async () => (await new Schedules(redis.client, prefix).read('n')).owner?.shared

  it('end for the workers, too, where a command is killed in them', async () => {
    const one = await machine('a', { cron: '0 21 * * *', between: '20:00-06:00' })
    await one.at('2026-11-27T21:00:00Z')
    one.started[0]?.share(batch)
    await expect.poll(sharedOf).toEqual(batch)
    await one.end(0, { code: undefined })
    expect(one.held).toEqual(['b1'])
    await one.at('2026-11-28T06:00:00Z')
    expect(one.started).toHaveLength(1)
    await one.at('2026-11-28T20:00:00Z')
    expect(one.started).toHaveLength(2)
  })

  it('end for the workers, too, where whoever looked after a run is gone when they are over', async () => {
    const one = await machine('a', { cron: '0 21 * * *', between: '20:00-06:00' })
    const dead = { id: 'dead', ...(await ownProcess()), startTime: '1', shared: batch }
    const due = Date.parse('2026-11-27T21:00:00Z')
    const run = '2026-11-27T21:00:00.000Z'
    await new Schedules(redis.client, prefix).begin('n', { owner: dead, due, run })
    await one.at('2026-11-28T06:00:00Z')
    await one.at('2026-11-28T06:00:01Z')
    expect(one.held).toEqual(['b1'])
    await one.at('2026-11-28T20:00:00Z')
    expect(one.started).toHaveLength(1)
    await one.end(0, { code: 0 })
    expect(await runs(one)).toMatchObject([{ run, code: 0 }])
  })

  it('let what is due outside them wait until they begin', async () => {
    const one = await machine('a', { cron: '0 12 * * *', between: '20:00-06:00' })
    await one.at('2026-11-27T12:00:00Z')
    expect(one.started).toHaveLength(0)
    await one.at('2026-11-27T20:00:00Z')
    expect(await runs(one)).toMatchObject([{ due: '2026-11-27T12:00:00.000Z' }])
  })
})

it('a scheduler that is stopped has its runs park, and the next one goes on with them', async () => {
  const one = await machine()
  await one.at('2026-11-27T03:00:00Z')
  await one.scheduler.close()
  expect(one.started[0]?.isStopped).toBe(true)
  expect(await runs(one)).toMatchObject([{ parked: 'the scheduler was stopped' }])
  one.scheduler = one.newScheduler()
  await one.at('2026-11-27T03:05:00Z')
  expect(one.started).toHaveLength(2)
  await one.end(1, { code: 0 })
  expect(await runs(one)).toMatchObject([{ due: '2026-11-27T03:00:00.000Z', again: 1, code: 0, parked: undefined }])
})

it('a command whose process is killed is begun again, three times at most', async () => {
  const one = await machine()
  await one.at('2026-11-27T03:00:00Z')
  for (let at = 0; at < 4; at++) {
    await one.end(at, { code: undefined })
    await one.at('2026-11-27T03:00:10Z')
  }
  expect(one.started).toHaveLength(4)
  expect(await runs(one)).toMatchObject([{ again: 3, code: undefined, parked: undefined }])
})

it('a paused schedule starts nothing, and what was due meanwhile is not made up', async () => {
  const one = await machine('a', { pausedAt: SINCE })
  await one.at('2026-11-27T03:00:00Z')
  expect(one.started).toHaveLength(0)
  await one.folder.write(schedule({ since: '2026-11-27T12:00:00.000Z' }))
  await one.at('2026-11-27T12:00:01Z')
  expect(one.started).toHaveLength(0)
  await one.at('2026-11-28T03:00:00Z')
  expect(one.started).toHaveLength(1)
})

it('a run that an earlier schedule of this name has parked is not gone on with', async () => {
  const one = await machine()
  await one.at('2026-11-27T03:00:00Z')
  await one.scheduler.close()
  await one.folder.remove('n')
  const createdAt = '2026-11-27T04:00:00.000Z'
  await one.folder.write(schedule({ createdAt, since: createdAt }))
  one.scheduler = one.newScheduler()
  await one.at('2026-11-27T05:00:00Z')
  expect(one.started).toHaveLength(1)
  // What was parked is let go of.
  await expect.poll(async () => (await new Schedules(redis.client, prefix).read('n')).owner).toBeUndefined()
  await one.at('2026-11-28T03:00:00Z')
  expect(one.started).toHaveLength(2)
})

it('a damaged definition or history stops no other schedule', async () => {
  const one = await machine()
  await one.folder.write(schedule({ name: 'other' }))
  appendFileSync(join(folder, 'a/schedules/other/schedule.json'), '}')
  // What is in its place cannot be read as a file at all.
  mkdirSync(join(folder, 'a/schedules/folder/schedule.json'), { recursive: true })
  await one.folder.record('n', { v: 1, at: SINCE, event: 'skipped', due: SINCE, reason: 'x' })
  appendFileSync(join(folder, 'a/schedules/n/history.ndjson'), '{"v":1,"at":"2026')
  await one.at('2026-11-27T03:00:00Z')
  expect(one.started).toHaveLength(1)
  expect(one.damaged).toEqual(['folder', 'other'])
  expect(await runs(one)).toMatchObject([{ due: '2026-11-27T03:00:00.000Z' }])
})

it('a clock that was ahead once does not silence a schedule', async () => {
  const one = await machine()
  await one.at('2031-01-01T12:00:00Z')
  await one.end(0, { code: 0 })
  one.scheduler = one.newScheduler()
  await one.at('2026-11-27T02:00:00Z')
  await one.at('2026-11-27T03:00:00Z')
  expect(one.started).toHaveLength(2)
  expect((await runs(one)).at(-1)).toMatchObject({ due: '2026-11-27T03:00:00.000Z' })
})

it('a run that was started by hand and stopped by hand has ended', async () => {
  const one = await machine()
  const command = new Command()
  const owner = { id: 'hand', ...(await ownProcess()) }
  const schedules = new Schedules(redis.client, prefix)
  const run = 'by hand 2026-11-27T01:00:00.000Z'
  expect((await schedules.begin('n', { owner, due: undefined, run, byHand: true })).what).toBe('begun')
  const deps = { folder: one.folder, schedules, clock: () => one.now, log: createLogger('silent') }
  const byHand = new ScheduledRun(
    { ...deps, start: () => Promise.resolve(command), hold: () => Promise.resolve(), tell: () => undefined },
    schedule(),
    run,
    owner,
  )
  await byHand.started
  byHand.stop()
  expect(await byHand.ended).toBe(130)
  await one.at('2026-11-27T02:00:00Z')
  expect(one.started).toHaveLength(0)
})
