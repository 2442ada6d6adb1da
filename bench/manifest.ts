import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { tinyWorld } from '../test/fakes/dataverse/worlds.ts'
import { dataferryOptions, type Bench } from './bench.ts'
import { dataferry } from './dataferry.ts'
import { emit, say, type Row } from './output.ts'
import { startRedis } from './redis.ts'
import { scratch } from './scratch.ts'
import { startServer } from './stand-in.ts'

const MIB = 1024 * 1024
const SIZE = 100
/** Every dataset is listed once, however many of its files a manifest names. */
const DATASETS = 100

/** Memory must not grow with the manifest: a long one is planned, and a shorter one is fetched. */
export async function manifest(bench: Bench): Promise<void> {
  const { count, 'run-count': runCount } = bench.options
  await planning(bench, count)
  if (runCount > 0) await running(bench, runCount)
}

async function planning(bench: Bench, count: number): Promise<void> {
  await using folder = await scratch(count * 1024, bench.options.dir)
  say(`manifest: planning ${count} lines in ${folder.path}`)
  await using server = await startServer({ world: `tiny:${count}:${SIZE}:${DATASETS}` })
  const list = await writeManifest(folder.path, count)
  const data = join(folder.path, 'data')
  const args = ['run', list, '--dry-run', '--server', server.url, '--to', data, '-q']
  const { seconds, cpuSeconds, peakRss } = await dataferry(args, dataferryOptions(bench, folder.path))
  const row = { lines: count, seconds, linesPerSecond: count / seconds, cpuSeconds, peakRssMiB: peakRss / MIB }
  emit({ benchmark: 'manifest', part: 'plan', ...row })
  tell(`${count} lines planned (--dry-run, no Redis)`, row)
}

async function running(bench: Bench, count: number): Promise<void> {
  await using folder = await scratch(count * 12_288, bench.options.dir)
  say(`manifest: running ${count} lines in ${folder.path}`)
  await using server = await startServer({ world: `tiny:${count}:${SIZE}:${DATASETS}` })
  const options = dataferryOptions(bench, folder.path)
  // dataferry joins it, so that it can still be asked when dataferry has left.
  await using redis = await startRedis(options.state)
  const list = await writeManifest(folder.path, count)
  const streams = String(bench.options.streams)
  const args = ['run', list, '--server', server.url, '--to', join(folder.path, 'data'), '--jobs', streams, '-q']
  const { seconds, cpuSeconds, peakRss } = await dataferry(args, options)
  const { peakMemory, cpuSeconds: redisCpuSeconds } = await redis.use()
  const row = {
    lines: count,
    seconds,
    linesPerSecond: count / seconds,
    cpuSeconds,
    peakRssMiB: peakRss / MIB,
    redisCpuSeconds,
    redisPeakMiB: peakMemory / MIB,
  }
  emit({ benchmark: 'manifest', part: 'run', ...row })
  tell(`${count} lines planned and fetched`, row)
}

/** One file id a line, for every file of the stand-in's datasets: `tinyWorld` makes the same world here and there. */
async function writeManifest(folder: string, count: number): Promise<string> {
  const path = join(folder, 'manifest.txt')
  await pipeline(Readable.from(idLines(count)), createWriteStream(path))
  return path
}

function* idLines(count: number): Generator<string> {
  for (const { versions } of tinyWorld(count, { size: SIZE, datasets: DATASETS }).datasets.values()) {
    const files = versions[0]?.files
    const ids = Array.from({ length: files?.length ?? 0 }, (_, at) => files?.at(at).file.id)
    if (ids.length > 0) yield `${ids.join('\n')}\n`
  }
}

function tell(title: string, row: Row): void {
  say(
    '',
    title,
    ...Object.entries(row).map(([name, value]) => `  ${name.padEnd(18)}${Number(value).toFixed(1).padStart(12)}`),
  )
}
