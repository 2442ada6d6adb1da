import { PUBLIC_SCOPE } from '../../jobs/scope.ts'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { Workers } from '../../src/ledger/workers.ts'
import { connect } from '../../src/queue/connection.ts'
import { livenessOf } from '../../src/process/process-identity.ts'
import { openQueues, type Queues } from '../../src/queue/queues.ts'
import { startDataverseProcess } from '../../test/fakes/dataverse/process.ts'
import { nodeProgram } from '../../test/node-program.ts'
import { check, type Checked } from './check.ts'
import { leftToDo } from './left-to-do.ts'
import { Dice } from '../dice.ts'
import { Player, type Program } from './player.ts'
import { RedisPlayer } from './redis-player.ts'
import { setStage, type OutageOf, type Stage } from './stage.ts'
import { Strikes, type StrikeCounts } from './strikes.ts'
import { chaosWorld, pidOf } from './world.ts'

export interface ChaosOptions {
  readonly seed: number
  /** Processes to kill with SIGKILL, Redis included; further ones are frozen or asked to end. */
  readonly kills: number
  readonly files: number
  /** The whole run rejects with {@link TimeIsOver} after this long. */
  readonly minutes: number
  /** Between two strikes, in ms; 1000 unless given. */
  readonly everyMs?: number
  /** What is struck besides processes: none unless given. */
  readonly outages?: readonly OutageOf[]
  /** The program under test; the sources unless given. */
  readonly main?: string
  /** Ends the run as its time limit does, with nothing left behind. */
  readonly signal?: AbortSignal
  readonly say: (text: string) => void
}

/** The figures of a run. It went well when `problems` is empty. */
export interface ChaosFigures extends Checked {
  readonly seed: number
  readonly files: number
  readonly strikes: StrikeCounts
  /** Seconds with strikes, and from the last one to the end of all batches. */
  readonly seconds: { readonly chaos: number; readonly calm: number }
  /** Requests that the server answered, and downloads that it counted. */
  readonly server: { readonly requests: number; readonly counted: number }
}

/** The run did not end in its time. The message says how far it was, and what was left to do. */
export class TimeIsOver extends Error {}

const SOURCES = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
/** Twice the time after which a lock that nobody renews is anybody's. */
const DRAINED_WITHIN_MS = 120_000
/** A worker that is asked to end, or whose supervisor has died, parks in 20 s at most; a busy machine may need more. */
const PARKED_WITHIN_MS = 60_000
const FILES_A_BATCH = 250
const JOBS = 8
const FAULTS = [
  'cut',
  'reset',
  '429',
  '500',
  '502',
  '503',
  'ignore-range',
  'flip',
  'longer',
  'early-end',
  'stall',
] as const
/** Waits are short, so that there is much to be met in a short time. */
const FAST = {
  DATAFERRY_THROTTLE_FIRST: '50ms',
  DATAFERRY_THROTTLE_MAX: '500ms',
  DATAFERRY_RETRY_WAIT: '50ms',
  DATAFERRY_RETRY_MAX_WAIT: '500ms',
  DATAFERRY_IDLE_TIMEOUT: '2s',
}

/** Plays a run: strikes until enough were killed, then a calm end, then every check. Leaves nothing behind. */
export async function runChaos(options: ChaosOptions): Promise<ChaosFigures> {
  const { seed, kills, files, say } = options
  const folder = await mkdtemp(join(tmpdir(), 'df-chaos-'))
  const main = options.main ?? SOURCES
  // A program that does not start at all would be started again and again.
  await output(programOf(main, folder, '')(['--version'])).catch(async (error: unknown) => {
    await rm(folder, { recursive: true })
    throw error
  })
  const interrupted = options.signal ?? new AbortController().signal
  const stop = AbortSignal.any([AbortSignal.timeout(options.minutes * 60_000), interrupted])
  const dice = new Dice(seed)
  const batches = Math.ceil(files / FILES_A_BATCH)
  const everyMs = options.everyMs ?? 1_000
  // The work should last as long as the strikes do.
  const latencyMs = Math.round((0.5 * kills * everyMs * JOBS) / files)
  const redis = await RedisPlayer.start(join(folder, 'redis'))
  const dataverse = await startDataverseProcess({
    world: chaosWorld(files, batches),
    latencyMs,
    bytesPerSecond: 3 << 20,
    chaos: { seed, probability: 0.08, perFile: 2, kinds: [...FAULTS] },
  })
  const data = join(folder, 'data')
  const stage = await setStage(options, dataverse.url, data)
  const { server } = stage
  const program = programOf(main, folder, redis.url, stage.inside)
  const restart = (): number => dice.between(0, 500)
  const work = ['work', '--server', server, '--processes', '2', '--jobs', String(JOBS), '--log-level', 'warn']
  const supervisors = ['a', 'b'].map((name) => new Player(`supervisor ${name}`, 'service', program(work), restart))
  const strikes = new Strikes({ dice, redis, supervisors, outages: stage.outages, say })
  const timeIsOver = async (): Promise<never> => {
    const { counts } = strikes
    const struck = `${counts.kills} of ${kills} kills (${counts.redisKills} of Redis), ${counts.frozen} freezes, ${counts.asked} polite requests`
    const why = interrupted.aborted ? 'It was interrupted' : `The ${options.minutes} minutes are over`
    throw new TimeIsOver(`${why} after ${struck}: ${await leftToDo(data, batches, files)}.`)
  }
  const begun = performance.now()
  const over = new AbortController()
  const enqueued = enqueueAll(
    batches,
    (pid) => {
      const args = ['enqueue', pid, '--server', server, '--to', data]
      return new Player('producer', 'command', program(args), restart)
    },
    strikes,
    kills,
    over.signal,
  )
  try {
    while (strikes.counts.kills < kills) {
      if (stop.aborted) await timeIsOver()
      await sleep(everyMs)
      await strikes.one()
    }
    await strikes.end()
    const calm = performance.now()
    say(`${kills} kills; now it is calm.`)
    await Promise.race([enqueued, whenAborted(stop).then(timeIsOver)])
    const client = await connect({ url: redis.url, role: 'worker' })
    const ledger = new RedisLedger(client, {})
    const queues = openQueues({ connection: client })
    try {
      const known = await ledger.list()
      if (known.length < batches) {
        // A cut took a batch from Redis, and the processes that worked on it are dead: only the destination knows it.
        say('Redis has forgotten a batch: the operator resumes it from the destination.')
        const resume = program(['resume', data, '--enqueue', '--server', server])
        const operator = new Player('operator', 'command', resume, restart)
        await Promise.race([operator.over, whenAborted(stop).then(() => operator.dismiss())])
      }
      if (!(await untilFinished(ledger, batches, stop, say))) await timeIsOver()
      const ended = performance.now()
      await untilDrained(queues, server)
      const codes = await Promise.all(supervisors.map((supervisor) => supervisor.dismiss()))
      const checked = await check(data, ledger, queues, server)
      const problems = [...strikes.problems, ...checked.problems]
      for (const one of await outliving(new Workers(client))) problems.push(`a worker outlived its supervisor: ${one}`)
      for (const code of codes) if (code !== 0) problems.push(`a supervisor ended with ${code} and not 0`)
      const verified = await output(program(['verify', data])).catch((error: unknown) => {
        problems.push(`verify: ${String(error)}`)
        return ''
      })
      say(verified.trim().split('\n').at(-1) ?? '')
      const seconds = { chaos: round(calm - begun), calm: round(ended - calm) }
      const { requests } = await dataverse.totals()
      const counted = await countedDownloads(files, (file) => dataverse.counters(file))
      return { seed, files, strikes: strikes.counts, seconds, ...checked, server: { requests, counted }, problems }
    } finally {
      await queues.close()
      client.disconnect()
    }
  } catch (error) {
    for (const { name, said } of supervisors) say(`${name} said last:\n${said.slice(-3000)}`)
    throw error
  } finally {
    over.abort()
    await strikes.end()
    await Promise.all([...supervisors, ...(strikes.producer ? [strikes.producer] : [])].map((one) => one.dismiss()))
    await enqueued.catch(() => undefined)
    await stage.clear()
    await dataverse.close()
    await redis.stop()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function programOf(
  main: string,
  folder: string,
  redisUrl: string,
  inside: Stage['inside'] = (...command) => command,
): (args: readonly string[]) => Program {
  const { PATH = '' } = process.env
  const env = { PATH, HOME: folder, DATAFERRY_STATE_DIR: join(folder, 'state'), REDIS_URL: redisUrl, ...FAST }
  return (command) => {
    const [file, ...args] = inside(process.execPath, ...nodeProgram(main), ...command)
    return { file, args, env, cwd: folder }
  }
}

/** Runs a program to its end. @returns its standard output */
async function output({ file, args, env, cwd }: Program): Promise<string> {
  return (await promisify(execFile)(file, args, { env, cwd })).stdout
}

/** One batch after the other, spread over the time of the strikes; each is enqueued again until that has succeeded. */
async function enqueueAll(
  batches: number,
  enqueue: (pid: string) => Player,
  strikes: Strikes,
  kills: number,
  over: AbortSignal,
): Promise<void> {
  for (let batch = 0; batch < batches; batch += 1) {
    while (!over.aborted && strikes.counts.kills < (0.7 * kills * batch) / batches) await sleep(200)
    if (over.aborted) return
    const producer = enqueue(pidOf(batch))
    strikes.producer = producer
    await producer.over
    strikes.producer = undefined
  }
}

/** @returns whether all batches have ended, or it was stopped before */
async function untilFinished(
  ledger: RedisLedger,
  batches: number,
  stop: AbortSignal,
  say: (text: string) => void,
): Promise<boolean> {
  for (let look = 0; ; look += 1) {
    const entries = await ledger.list()
    if (entries.length >= batches && entries.every(({ state }) => state === 'finished')) return true
    if (look % 40 === 39) {
      const open = await Promise.all(entries.map(({ id }) => ledger.summary(id)))
      say(open.map(({ planned, done, kept, failed }) => `${done + kept + failed}/${planned}`).join(' '))
    }
    if (stop.aborted) return false
    await sleep(250)
  }
}

/**
 * A batch may end while a job of a killed worker, which nobody needs any more, is still locked: where Redis has forgotten
 * that worker as well, only the end of the lock tells (60 s). `check` names what is left then.
 */
async function untilDrained(queues: Queues, server: string): Promise<void> {
  const isLeft = async (): Promise<boolean> => {
    const all = queues.in(PUBLIC_SCOPE).of([server])
    const counts = await Promise.all(all.map((queue) => queue.getJobCounts()))
    return counts.some((states) => Object.values(states).some((count) => count > 0))
  }
  const limit = performance.now() + DRAINED_WITHIN_MS
  while (performance.now() < limit && (await isLeft())) await sleep(250)
}

/** Workers that live on although nobody looks after them, with what they hold. Those of a killed supervisor may still be parking. */
async function outliving(workers: Workers): Promise<readonly string[]> {
  const limit = performance.now() + PARKED_WITHIN_MS
  for (;;) {
    const known = await workers.list()
    const alive = await Promise.all(known.map(async (worker) => (await livenessOf(worker)) === 'alive'))
    const left = known.filter((_, at) => alive[at])
    if (left.length === 0 || performance.now() > limit) {
      return left.map(({ pid, since, at, holds }) => JSON.stringify({ pid, since, at, holds }))
    }
    await sleep(250)
  }
}

async function countedDownloads(
  files: number,
  counters: (file: number) => Promise<{ readonly counted: number }>,
): Promise<number> {
  let sum = 0
  for (let n = 0; n < files; n += 1) sum += (await counters(1000 + n)).counted
  return sum
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function round(ms: number): number {
  return Math.round(ms / 100) / 10
}
