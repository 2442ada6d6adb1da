import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { WORLD_PID } from '../test/fakes/dataverse/worlds.ts'
import { dataferryOptions, toolOptions, type Bench } from './bench.ts'
import { contest, median, type Contender } from './contest.ts'
import { dataferry, type DataferryCost } from './dataferry.ts'
import { emit, report, say, standings, type Row } from './output.ts'
import { scratch } from './scratch.ts'
import { peakBytes } from './scratch-space.ts'
import { startServer, type BenchFile, type BenchServer } from './stand-in.ts'
import { isInstalled, shell, type Cost } from './tools.ts'

const MIB = 1024 * 1024

/** Many small files with the same number of streams, near (no wait) and far (a wait before each answer). */
export async function small(bench: Bench): Promise<void> {
  const { options, signal } = bench
  const { files: count, 'file-size': size } = options
  // A page for each file at least, and the records beside them.
  await using folder = await scratch(count * (size + 8192), options.dir)
  say(`small: ${count} files of ${size} bytes to ${folder.path}${folder.memory ? ' (in memory)' : ''}`)
  await using server = await startServer({ world: `tiny:${count}:${size}` })
  const files = await server.files(signal)
  if (files.length !== count) throw new Error(`The stand-in lists ${files.length} files, not ${count}.`)
  await writeLists(folder.path, files)
  for (const latencyMs of options.latency) {
    await server.set({ latencyMs })
    await compare(bench, server, folder, latencyMs)
  }
}

async function compare(
  bench: Bench,
  server: BenchServer,
  { path, memory }: { readonly path: string; readonly memory: boolean },
  latencyMs: number,
): Promise<void> {
  const { files, 'file-size': size, streams, repeat } = bench.options
  const costs: DataferryCost[] = []
  const steady: number[] = []
  const clean = async (work: (to: string) => Promise<Cost>): Promise<Cost> => {
    const to = join(path, 'run')
    await mkdir(to)
    try {
      return await work(to)
    } finally {
      await rm(to, { recursive: true, force: true })
    }
  }
  const fetchInto = (to: string, bundle: 'off' | 'auto'): Promise<DataferryCost> => {
    const args = ['run', WORLD_PID, '--server', server.url, '--to', join(to, 'data'), '--jobs', String(streams), '-q']
    return dataferry([...args, '--bundle', bundle], dataferryOptions(bench, to))
  }
  const own = async (to: string): Promise<Cost> => {
    const cost = await fetchInto(to, 'off')
    costs.push(cost)
    steady.push(await steadyRate(join(to, 'data')))
    return cost
  }
  const bundled: BundledCost[] = []
  const together = async (to: string): Promise<Cost> => {
    const before = await server.requests()
    const parts = join(to, 'data', '.dataferry', 'parts')
    const { result: cost, peak } = await peakBytes(parts, () => fetchInto(to, 'auto'))
    bundled.push({ ...cost, scratch: peak, requests: (await server.requests()) - before })
    return cost
  }
  const contenders: Contender[] = [
    { name: 'dataferry', run: () => clean(own) },
    { name: 'dataferry --bundle auto', run: () => clean(together) },
  ]
  for (const [name, script] of Object.entries(SCRIPTS)) {
    const installed = await isInstalled(name.split(/[ ,]/, 1).join(''), toolOptions(bench, '/'))
    if (!installed) say(`  ${name}: not installed`)
    else {
      const work = (to: string): Promise<Cost> =>
        shell(script, [path, String(streams), String(files)], toolOptions(bench, to))
      contenders.push({ name, run: () => clean(work) })
    }
  }
  const rows = standings(await contest(contenders, repeat), files)
  const about = { benchmark: 'small', files, bytes: size, streams, latencyMs, inMemory: memory }
  const title = `${files} files of ${size} bytes, ${latencyMs} ms before each answer, ${streams} streams`
  report({ title, unit: 'files/s', amount: files }, rows, about)
  const peakRssMiB = median(costs.map(({ peakRss }) => peakRss)) / MIB
  const cpuMsPerFile = (median(costs.map(({ cpuSeconds }) => cpuSeconds)) * 1000) / files
  emit({ ...about, steadyFilesPerSecond: median(steady), cpuMsPerFile, peakRssMiB })
  say(
    `  dataferry between its first and last receipt: ${median(steady).toFixed(1)} files/s; ${cpuMsPerFile.toFixed(2)} ms CPU a file; peak memory ${peakRssMiB.toFixed(0)} MiB`,
  )
  tellBundled(about, bundled, files)
}

/** What a bundled run took besides time. Bytes, and requests that the server had. */
interface BundledCost extends DataferryCost {
  readonly scratch: number
  readonly requests: number
}

function tellBundled(about: Row, runs: readonly BundledCost[], files: number): void {
  const peakRssMiB = median(runs.map(({ peakRss }) => peakRss)) / MIB
  const scratchKiB = median(runs.map((run) => run.scratch)) / 1024
  const requests = median(runs.map((run) => run.requests))
  const cpuMsPerFile = (median(runs.map(({ cpuSeconds }) => cpuSeconds)) * 1000) / files
  emit({ ...about, bundled: true, cpuMsPerFile, peakRssMiB, scratchKiB, requests })
  say(
    `  bundled: ${requests} requests, listing and limit included; ${cpuMsPerFile.toFixed(2)} ms CPU a file; peak memory ${peakRssMiB.toFixed(0)} MiB, peak scratch space ${scratchKiB.toFixed(0)} KiB`,
  )
}

/** Scripts get the folder of the lists as `$1`, the streams as `$2`, the count of files as `$3`. */
const CURL = 'curl --fail --silent --show-error --parallel --parallel-max "$2" --config "$1/curl.txt"'
const ARIA2C =
  'aria2c --quiet --file-allocation=none --max-connection-per-server=1 --split=1 --max-concurrent-downloads="$2"'
const ALL_THERE = 'test "$(ls | wc -l)" -eq "$3"'
const SCRIPTS: Readonly<Record<string, string>> = {
  'curl -Z, no checksum': `${CURL}; ${ALL_THERE}`,
  'curl -Z, then md5sum': `${CURL}; md5sum --check --quiet "$1/md5sums.txt"`,
  'aria2c -i, with checksums': `${ARIA2C} --input-file="$1/aria2c.txt"; ${ALL_THERE}`,
}

async function writeLists(folder: string, files: readonly BenchFile[]): Promise<void> {
  const write = (name: string, line: (file: BenchFile) => string): Promise<void> =>
    writeFile(join(folder, name), files.map(line).join(''))
  await write('curl.txt', ({ url, id }) => `url = "${url}"\noutput = "${id}"\n`)
  await write('aria2c.txt', ({ url, id, md5 }) => `${url}\n  out=${id}\n  checksum=md5=${md5}\n`)
  await write('md5sums.txt', ({ id, md5 }) => `${md5}  ${id}\n`)
}

const receiptSchema = z.object({ finishedAt: z.iso.datetime() })

/** Files a second between the first and the last receipt: without start-up, planning and report. */
async function steadyRate(data: string): Promise<number> {
  const records = join(data, '.dataferry')
  let [count, first, last] = [0, Infinity, -Infinity]
  for (const name of await readdir(records, { recursive: true })) {
    if (!/\/receipts\/[^/]+\.ndjson$/.test(name)) continue
    const lines = (await readFile(join(records, name), 'utf8')).split('\n').filter((line) => line !== '')
    const times = lines.map((line) => Date.parse(receiptSchema.parse(JSON.parse(line)).finishedAt))
    count += times.length
    first = times.reduce((a, b) => Math.min(a, b), first)
    last = times.reduce((a, b) => Math.max(a, b), last)
  }
  return (count - 1) / Math.max(0.001, (last - first) / 1000)
}
