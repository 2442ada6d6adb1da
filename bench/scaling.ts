import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { RedisLedger } from '../src/ledger/redis/redis-ledger.ts'
import { startDataverseProcess } from '../test/fakes/dataverse/process.ts'
import { run, toolEnvironment } from './process.ts'
import { startRedis } from './redis.ts'

/**
 * How service mode scales: many small files, 50 ms for each answer, 1, 2 and 4 worker processes, four streams for each.
 * Prints one line of JSON for each step: `node --import tsx bench/scaling.ts [files]`.
 */
const STEPS = [1, 2, 4]
const STREAMS_A_PROCESS = 4
const LATENCY_MS = 50
const FILE_BYTES = 1_000
/** Looking takes CPU from what is measured. */
const LOOK_MS = 50
const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url))

const files = Number(process.argv[2] ?? 2_000)
const folder = await mkdtemp(join(tmpdir(), 'df-scale-'))
const stateDir = join(folder, 'state')
const signal = new AbortController().signal

async function dataferry(args: readonly string[]): Promise<void> {
  const env = toolEnvironment({ DATAFERRY_STATE_DIR: stateDir, HOME: folder })
  await run([process.execPath, '--import', import.meta.resolve('tsx'), MAIN, ...args], {
    cwd: folder,
    env,
    timeout: 600,
    signal,
  })
}

/** Seconds from the first file that was done to the last, and how many came in between: starting up does not count. */
async function measure(ledger: RedisLedger, processes: number, url: string): Promise<Record<string, number>> {
  const to = join(folder, `to-${processes}`)
  await dataferry(['enqueue', 'doi:10.5072/FK2/WORLD', '--server', url, '--to', to])
  const batch = (await ledger.list()).find(({ state }) => state === 'open')
  if (!batch) throw new Error('nothing was enqueued')
  const jobs = String(STREAMS_A_PROCESS * processes)
  const working = dataferry(['work', '--server', url, '--processes', String(processes), '--jobs', jobs, '--until-done'])
  let first: { at: number; done: number } | undefined
  let last = { at: 0, done: 0 }
  while (last.done < files) {
    await sleep(LOOK_MS)
    const { done } = await ledger.summary(batch.id)
    last = { at: performance.now(), done }
    // Every process has started by the time that a tenth is there.
    if (done >= files / 10) first ??= last
  }
  await working
  const { at, done } = first ?? last
  const seconds = (last.at - at) / 1_000
  const perSecond = (last.done - done) / seconds
  const ceiling = (STREAMS_A_PROCESS * processes * 1_000) / LATENCY_MS
  return { processes, streams: Number(jobs), files, seconds, perSecond, ofCeiling: perSecond / ceiling }
}

const redis = await startRedis(stateDir)
const dataverse = await startDataverseProcess({ world: `tiny:${files}:${FILE_BYTES}`, latencyMs: LATENCY_MS })
try {
  const ledger = new RedisLedger(redis.client)
  for (const processes of STEPS) {
    const figures = await measure(ledger, processes, dataverse.url)
    const rounded = Object.entries(figures).map(([name, value]) => [name, Math.round(value * 100) / 100])
    process.stdout.write(`${JSON.stringify(Object.fromEntries(rounded))}\n`)
  }
} finally {
  await dataverse.close()
  await redis[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
}
