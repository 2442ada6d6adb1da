import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { LineWriter } from '../src/mirror/line-writer.ts'
import { names } from '../src/mirror/order.ts'
import { PARTS, writeState, type MirroredDataset } from '../src/mirror/state.ts'
import { diskSink } from '../src/sinks/disk/disk-sink.ts'
import { Repository } from '../test/fakes/dataverse/repository.ts'
import { startDataverse, type StandIn } from '../test/fakes/dataverse/server.ts'
import { World, type Dataset } from '../test/fakes/dataverse/world.ts'
import { dataferryOptions, type Bench } from './bench.ts'
import { dataferry } from './dataferry.ts'
import { emit, say, type Row } from './output.ts'
import { scratch } from './scratch.ts'

const MIB = 1024 * 1024
/** Memory files of a dataset: its state in several runs, and its records. */
const BYTES_A_DATASET = 40_000
/** One dataset in so many is changed. */
const SHARE = 100
/** Requests that a search of 1,000 datasets a page takes, with one for its end and one to spare. */
const mostFor = (datasets: number): number => Math.ceil(datasets / 1_000) + 2
/** Requests for a changed dataset: versions, files and metadata. */
const A_CHANGE = 3

const reportSchema = z.object({
  complete: z.boolean(),
  datasets: z.record(z.string(), z.number()),
  files: z.object({ fetched: z.number() }),
})

/** A mirror of many datasets: its first run, one of which nothing has changed, and one of which one in a hundred has. */
export async function mirror(bench: Bench): Promise<void> {
  const peaks: number[] = []
  for (const datasets of bench.options.datasets) peaks.push(await sweeps(bench, datasets))
  const [least = NaN, most = NaN] = [peaks[0], peaks.at(-1)]
  emit({ benchmark: 'mirror', part: 'memory', datasets: bench.options.datasets, ofSmallest: most / least })
  if (peaks.length > 1) say('', `memory of the largest sweep beside the smallest: ${(most / least).toFixed(2)} ×`)
}

/** @returns peak memory of the sweep of which nothing has changed, in bytes */
async function sweeps(bench: Bench, datasets: number): Promise<number> {
  await using folder = await scratch(datasets * BYTES_A_DATASET, bench.options.dir)
  say(`mirror: ${datasets} datasets in ${folder.path}`)
  const world = new World()
  world.collection('climate')
  const repository = new Repository(world)
  const pid = (n: number): string => `doi:10.5072/FK2/D${n}`
  for (let n = 0; n < datasets; n++) repository.deposit(pid(n), [], { collection: 'climate' })
  const server = await startDataverse({ world, keepRequests: 4 * datasets })
  try {
    const home = { bench, server, cwd: folder.path, to: join(folder.path, 'data'), datasets }
    await command(home, ['create', '--collection', 'climate'])
    if (datasets <= bench.options.first) await measured(home, 'first', { added: datasets })
    else await writeFirst(home, world.datasets.values())
    const { peakRss } = await measured(home, 'unchanged', { unchanged: datasets }, mostFor(datasets))
    const changed = Math.floor(datasets / SHARE)
    for (let n = 0; n < changed; n++) {
      repository.publish(pid(n * SHARE), (files) => [...files, { label: 'new.txt', content: `new ${n}` }])
    }
    const most = mostFor(datasets) + A_CHANGE * changed
    await measured(home, 'changed', { unchanged: datasets - changed, updated: changed }, most)
    for (const part of ['status', 'changes'] as const) tell(home, part, await command(home, [part]))
    return peakRss
  } finally {
    await server.close()
  }
}

/** The state as a first run leaves it. */
async function writeFirst({ to }: Home, all: Iterable<Dataset>): Promise<void> {
  const sink = diskSink(to)
  const { records } = sink
  const finishedAt = new Date().toISOString()
  const run = finishedAt.replaceAll(':', '-')
  const log = new LineWriter(await records.appendTo(names.run('m', run, 'datasets.ndjson'), 0))
  for (const dataset of all) await log.add(heldOf(dataset))
  await log.flush()
  await log.close()
  await writeState(records, 'm', { v: 1, run, finishedAt, swept: Array.from({ length: PARTS }, () => finishedAt) })
  await sink.close()
}

function heldOf({ id, pid, modifiedAt, versions, collection }: Dataset): MirroredDataset {
  const [version] = versions
  if (!version) throw new Error(`${pid} has no version.`)
  const { number, lastUpdateTime, releaseTime, counter } = version
  const metadata = { 'dataset.json': 'a'.repeat(64) }
  return {
    id,
    pid,
    folder: pid.replaceAll(/[:/]/g, '-'),
    state: 'current',
    owner: collection.alias,
    seen: { versionId: version.id, number, updatedAt: modifiedAt },
    versions: [{ id: version.id, number, lastUpdateTime, releaseTime, counter, listing: 'b'.repeat(64), metadata }],
    files: { current: 0, bytes: 0, aside: 0, missing: 0 },
  }
}

interface Home {
  readonly bench: Bench
  readonly server: StandIn
  readonly cwd: string
  readonly to: string
  readonly datasets: number
}

interface Took {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakRss: number
}

async function command({ bench, server, cwd, to }: Home, [verb = '', ...flags]: readonly string[]): Promise<Took> {
  const args = ['mirror', verb, 'm', ...flags, '--server', server.url, '--to', to, '-q']
  return dataferry(args, dataferryOptions(bench, cwd))
}

/** A run that must have found exactly this, with so many requests at most besides downloads. */
async function measured(
  home: Home,
  part: string,
  expected: Readonly<Record<string, number>>,
  most = Infinity,
): Promise<Took> {
  const { records } = home.server
  const before = records.total
  const took = await command(home, ['run'])
  const made = records.list(before)
  const downloads = made.filter(({ url }) => url.startsWith('/api/access/')).length
  const requests = records.total - before - downloads
  const { complete, datasets, files } = await lastReport(home)
  const found = { complete, datasets, fetched: files.fetched }
  const wanted = { complete: true, datasets: expected, fetched: downloads }
  if (!isDeepStrictEqual(found, wanted)) {
    throw new Error(`The ${part} run found ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}.`)
  }
  if (requests > most) throw new Error(`The ${part} run took ${requests} requests, more than ${most}.`)
  tell(home, part, took, { requests, downloads })
  return took
}

async function lastReport({ to }: Home): Promise<z.infer<typeof reportSchema>> {
  const runs = join(to, '.dataferry', 'mirrors', 'm', 'runs')
  const last = (await readdir(runs)).sort().at(-1) ?? ''
  return reportSchema.parse(JSON.parse(await readFile(join(runs, last, 'run.json'), 'utf8')))
}

function tell({ datasets }: Home, part: string, { seconds, cpuSeconds, peakRss }: Took, more: Row = {}): void {
  const row: Row = { datasets, seconds, cpuSeconds, peakRssMiB: peakRss / MIB, ...more }
  emit({ benchmark: 'mirror', part, ...row })
  const cells = Object.entries(row).map(([name, value]) => `${name} ${Number(value).toFixed(1).replace(/\.0$/, '')}`)
  say(`  ${part.padEnd(10)} ${cells.join('   ')}`)
}
