import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Schedule } from '../../src/schedule/definition.ts'
import { runsOf, type Run } from '../../src/schedule/history.ts'
import { ScheduleFolder } from '../../src/schedule/schedule-folder.ts'
import { makeHome, type Home, type Started } from './cli.ts'
import { until } from './service.ts'
import { useDataverse } from './use-home.ts'

const MIB = 1 << 20
/** A large file takes long enough to be met in the middle. */
const SLOW = 4 * MIB
export const LARGE_FILE = 1

/** A service of one test, with a mirror of a server that should have been run at three o'clock. */
export interface Serving {
  readonly home: Home
  readonly folder: ScheduleFolder
  /** Of the server. */
  url(): string
  /** Starts `serve`; it is killed after the test. */
  serve(...more: readonly string[]): Started
  /** As `serve`, with more in its environment. */
  serveIn(env: Readonly<Record<string, string>>): Started
  /** Ends it as a service manager does. */
  stop(service: Started): ReturnType<Home['run']>
  /** Adds the schedule `nightly`, whose due times since two days ago count. */
  overdueMirror(): Promise<Schedule>
  /** The same with another command. */
  overdue(...command: readonly string[]): Promise<Schedule>
  lastRun(): Promise<Run | undefined>
  untilEnded(): Promise<Run>
  /** Until bytes of the large file come, and no stream is open. */
  untilRunning(): Promise<unknown>
  untilQuiet(): Promise<unknown>
  /** Has the server send slowly, or as fast as it can. */
  slow(isSlow: boolean): Promise<void>
  /** How often the server has counted a download of the large file. */
  counted(): Promise<number>
}

/** Call at the top of a test file. Its members can be used in tests. */
export function useServing(): Serving {
  let home: Home
  let folder: ScheduleFolder
  const serving: Started[] = []
  const files = [
    { id: LARGE_FILE, label: 'large.bin', content: { size: 24 * MIB, seed: 1 } },
    { id: 2, label: 'small.txt', content: 'small' },
  ]
  const datasets = [{ pid: 'doi:10.5072/FK2/A', collection: 'climate', files }]
  const dataverse = useDataverse({ world: { collections: [{ alias: 'climate' }], datasets } })
  beforeEach(async () => {
    home = await makeHome()
    folder = new ScheduleFolder(join(home.folder, 'state'))
  })
  afterEach(async () => {
    for (const { child } of serving) child.kill('SIGKILL')
    await Promise.all(serving.splice(0).map((one) => one.ended))
    await dataverse.set({ bytesPerSecond: 0 })
    await home[Symbol.asyncDispose]()
  })
  const start = (env: Readonly<Record<string, string>>, ...more: readonly string[]): Started => {
    const started = home.start(['serve', '--server', dataverse.url, '--processes', '1', ...more], env)
    serving.push(started)
    return started
  }
  const overdue = async (...command: readonly string[]): Promise<Schedule> => {
    const at = ['--cron', '0 3 * * *', '--tz', 'UTC']
    const place = ['--to', home.data, '--server', dataverse.url]
    const added = await home.run(['schedule', 'add', 'nightly', ...at, '--', ...command, ...place])
    expect([added.code, added.stderr]).toEqual([0, ''])
    const schedule = await folder.read('nightly')
    if (!schedule) throw new Error('The schedule was not written.')
    const since = new Date(Date.now() - 48 * 3_600_000).toISOString()
    const early = { ...schedule, createdAt: since, since }
    await folder.write(early)
    return early
  }
  const lastRun = async (): Promise<Run | undefined> => runsOf(await folder.history('nightly')).at(-1)
  return {
    get home() {
      return home
    },
    get folder() {
      return folder
    },
    url: () => dataverse.url,
    serve: (...more) => start({}, ...more),
    serveIn: (env) => start(env),
    stop({ child, ended }) {
      child.kill('SIGTERM')
      return ended
    },
    async overdueMirror() {
      const place = ['--to', home.data, '--server', dataverse.url]
      expect((await home.run(['mirror', 'create', 'm', '--collection', 'climate', ...place])).code).toBe(0)
      return overdue('mirror', 'run', 'm')
    },
    overdue,
    lastRun,
    untilEnded: () =>
      until('the run ended', async () => {
        const run = await lastRun()
        return run?.endedAt !== undefined && run.parked === undefined && run
      }),
    untilRunning: () =>
      until('bytes come', async () =>
        (await dataverse.requests()).some(({ file, ended }) => file === LARGE_FILE && !ended),
      ),
    untilQuiet: () => until('no stream', async () => (await dataverse.requests()).every(({ ended }) => ended)),
    slow: (isSlow) => dataverse.set({ bytesPerSecond: isSlow ? SLOW : 0 }),
    counted: async () => (await dataverse.counters(LARGE_FILE)).counted,
  }
}

/** The process of a part, a child of `serve`. */
export function processOf(part: string, { child }: Started): number {
  return childWith(`--part\0${part}`, child.pid ?? 0)
}

/** The command that the schedules of a `serve` have started. */
export function scheduledCommand(serving: Started): number {
  return childWith('mirror\0', processOf('schedules', serving))
}

/** The child of a process whose command line holds these words. */
function childWith(words: string, parent: number): number {
  const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim().split(' ')
  const found = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(words))
  if (found === undefined) throw new Error(`No child of ${parent} has ${words}: ${children.join(' ')}`)
  return Number(found)
}

/** The full hour of the day so many hours from now, in UTC as the schedule. */
export function inHours(ahead: number): string {
  return `${String((new Date().getUTCHours() + ahead) % 24).padStart(2, '0')}:00`
}
