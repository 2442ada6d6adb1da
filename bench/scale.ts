import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RedisLedger } from '../src/ledger/redis/redis-ledger.ts'
import { WORLD_PID } from '../test/fakes/dataverse/worlds.ts'
import { dataferryOptions, type Bench } from './bench.ts'
import { dataferry } from './dataferry.ts'
import { emit, say } from './output.ts'
import { startRedis } from './redis.ts'
import { scratch } from './scratch.ts'
import { startServer } from './stand-in.ts'

const PROCESSES = [1, 2, 4]
const LATENCY_MS = 50
const FILE_BYTES = 1_000
/** Looking takes CPU from what is measured. */
const LOOK_MS = 50

/** How service mode scales: many small files, 50 ms for each answer, 1, 2 and 4 worker processes with `--streams` each. */
export async function scale(bench: Bench): Promise<void> {
  const { files, streams, dir } = bench.options
  await using folder = await scratch(PROCESSES.length * files * (FILE_BYTES + 8192), dir)
  say(`scale: ${files} files of ${FILE_BYTES} bytes, ${LATENCY_MS} ms before each answer, in ${folder.path}`)
  const { state } = dataferryOptions(bench, folder.path)
  await mkdir(state)
  await using redis = await startRedis(state)
  await using server = await startServer({ world: `tiny:${files}:${FILE_BYTES}`, latencyMs: LATENCY_MS })
  const ledger = new RedisLedger(redis.client)
  for (const processes of PROCESSES) {
    const perSecond = await measure(bench, ledger, server.url, folder.path, processes)
    const ceiling = (streams * processes * 1_000) / LATENCY_MS
    emit({
      benchmark: 'scale',
      processes,
      streams: streams * processes,
      files,
      perSecond,
      ofCeiling: perSecond / ceiling,
    })
    say(
      `  ${processes} × ${streams} streams: ${perSecond.toFixed(1)} files/s, ${(perSecond / ceiling).toFixed(2)} of what the waiting allows`,
    )
  }
}

/** Files a second from the moment a tenth is there, when every process has started, to the last one. */
async function measure(
  bench: Bench,
  ledger: RedisLedger,
  server: string,
  folder: string,
  processes: number,
): Promise<number> {
  const { files, streams } = bench.options
  const run = (...args: readonly string[]) => dataferry(args, dataferryOptions(bench, folder))
  await run('enqueue', WORLD_PID, '--server', server, '--to', join(folder, `to-${processes}`))
  const batch = (await ledger.list()).find(({ state }) => state === 'open')
  if (!batch) throw new Error('Nothing was enqueued.')
  const jobs = String(streams * processes)
  const working = run('work', '--server', server, '--processes', String(processes), '--jobs', jobs, '--until-done')
  const ended = new AbortController()
  const rate = rateOf(ledger, batch.id, files, AbortSignal.any([bench.signal, ended.signal]))
  // Whichever fails first is the reason.
  await Promise.all([
    rate,
    working.finally(() => ended.abort(new Error('The workers ended before all files were there.'))),
  ])
  return rate
}

async function rateOf(ledger: RedisLedger, batch: string, files: number, signal: AbortSignal): Promise<number> {
  let first: { at: number; done: number } | undefined
  for (;;) {
    const { done } = await ledger.summary(batch)
    const last = { at: performance.now(), done }
    if (done >= files / 10) first ??= last
    if (first && done >= files) return ((done - first.done) * 1_000) / (last.at - first.at)
    await sleep(LOOK_MS, undefined, { signal })
  }
}
