import { createHash } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { dataferryOptions, toolOptions, type Bench } from './bench.ts'
import { contest, median, type Contender, type Result } from './contest.ts'
import { dataferry, type DataferryCost } from './dataferry.ts'
import { emit, report, say, standings } from './output.ts'
import { run, type ProcessOptions } from './process.ts'
import { scratch } from './scratch.ts'
import { startServer, type BenchFile } from './stand-in.ts'
import { isInstalled, shell, type Cost } from './tools.ts'

const MIB = 1024 * 1024
/** What a file of one byte takes is what the command takes besides the bytes: start, Redis, plan, report. */
const START_UP = 'dataferry, 1-byte file'
const engineSchema = z.object({ seconds: z.number(), cpuSeconds: z.number() })

/** One large file: dataferry beside curl and aria2c, which have the MD5 to compare with as well. */
export async function large(bench: Bench): Promise<void> {
  if (bench.options.throttle === undefined) await unlimited(bench)
  else await throttled(bench, bench.options.throttle)
}

/** From a store that limits each connection, over four of them, as `--segments auto` has it. */
async function throttled(bench: Bench, bytesPerSecond: number): Promise<void> {
  const { options, signal } = bench
  await using folder = await scratch(options.size * 1.5, options.dir)
  const mib = options.size / MIB
  say(`large: ${mib} MiB to ${folder.path}, each connection limited to ${bytesPerSecond / MIB} MiB/s`)
  await using server = await startServer({ world: `stored:${options.size}` })
  const [file] = await server.files(signal)
  if (!file) throw new Error('The stand-in does not list its file.')
  await server.set({ bytesPerSecond })
  const clean = cleanIn(folder.path)
  const own = ['run', String(file.id), '--server', server.url, '-q', '--to']
  const contenders: Contender[] = [
    {
      name: 'dataferry',
      run: () => clean((to) => dataferry([...own, join(to, 'data')], dataferryOptions(bench, to))),
    },
    ...(await tools(bench, file, clean, SEGMENTED)),
  ]
  const rows = standings(await contest(contenders, options.repeat), mib)
  const title = `One file of ${mib} MiB, ${bytesPerSecond / MIB} MiB/s a connection`
  report({ title, unit: 'MiB/s', amount: mib }, rows, { benchmark: 'large', mib, throttle: bytesPerSecond })
}

async function unlimited(bench: Bench): Promise<void> {
  const { options, signal } = bench
  await using folder = await scratch(options.size * 1.5, options.dir)
  say(`large: ${options.size / MIB} MiB to ${folder.path}${folder.memory ? ' (in memory)' : ''}`)
  await using server = await startServer({ world: `big:${options.size},1` })
  const [file, tiny] = await server.files(signal)
  if (!file || !tiny) throw new Error('The stand-in does not list two files.')
  const runs: DataferryCost[] = []
  const clean = cleanIn(folder.path)
  const own = (id: number, to: string): Promise<DataferryCost> =>
    dataferry(['run', String(id), '--server', server.url, '--to', join(to, 'data'), '-q'], dataferryOptions(bench, to))
  const contenders: Contender[] = [
    {
      name: 'dataferry',
      run: () =>
        clean(async (to) => {
          const cost = await own(file.id, to)
          runs.push(cost)
          return cost
        }),
    },
    { name: START_UP, run: () => clean((to) => own(tiny.id, to)) },
    { name: 'dataferry, engine alone', run: () => clean((to) => engine(server.url, file, toolOptions(bench, to))) },
    ...(await tools(bench, file, clean, SCRIPTS)),
  ]
  tell(bench, await contest(contenders, options.repeat), runs, folder.memory)
}

type Clean = (work: (to: string) => Promise<Cost>) => Promise<Cost>

/** Gives each run a folder of its own, which is removed behind it. */
export function cleanIn(folder: string): Clean {
  return async (work) => {
    const to = join(folder, 'run')
    await mkdir(to)
    try {
      return await work(to)
    } finally {
      await rm(to, { recursive: true, force: true })
    }
  }
}

const CURL = 'curl --fail --silent --show-error'
const ARIA2C = `aria2c --quiet --file-allocation=none --allow-overwrite=true`

/** Scripts get the URL as `$1` and the MD5 as `$2`, and fail when the bytes are wrong. */
const SCRIPTS: Readonly<Record<string, string>> = {
  'curl to nowhere': `${CURL} --output /dev/null "$1"`,
  'curl, no checksum': `${CURL} --output file "$1"`,
  'curl, then md5sum': `${CURL} --output file "$1"; echo "$2  file" | md5sum --check --quiet`,
  'curl | tee | md5sum': `test "$(${CURL} "$1" | tee file | md5sum)" = "$2  -"`,
  'aria2c --checksum': `${ARIA2C} -x1 -s1 --checksum=md5="$2" --out=file "$1"`,
}

const SEGMENTED = { 'aria2c -x4 -s4 --checksum': `${ARIA2C} -x4 -s4 --checksum=md5="$2" --out=file "$1"` }

async function tools(
  bench: Bench,
  { url, md5 }: BenchFile,
  clean: Clean,
  scripts: Readonly<Record<string, string>>,
): Promise<Contender[]> {
  const found: Contender[] = []
  for (const [name, script] of Object.entries(scripts)) {
    const installed = await isInstalled(name.split(/[ ,]/, 1).join(''), toolOptions(bench, '/'))
    if (installed) found.push({ name, run: () => clean((to) => shell(script, [url, md5], toolOptions(bench, to))) })
    else say(`  ${name}: not installed`)
  }
  return found
}

/** The engine and the disk sink without planning, queue and command line. */
async function engine(server: string, file: BenchFile, options: ProcessOptions): Promise<Cost> {
  const script = fileURLToPath(new URL('engine-child.ts', import.meta.url))
  const args = [server, String(file.id), String(file.size), file.md5, join(options.cwd, 'data')]
  const { stdout } = await run([process.execPath, '--import', import.meta.resolve('tsx'), script, ...args], options)
  return engineSchema.parse(JSON.parse(stdout))
}

/** MiB/s of MD5 on one core, over blocks of 1 MiB as the engine hashes them. */
function md5Limit(bytes: number): number {
  const block = Buffer.alloc(MIB, 7)
  const blocks = Math.max(16, Math.min(1024, Math.ceil(bytes / MIB)))
  const rates = Array.from({ length: 3 }, () => {
    const hash = createHash('md5')
    const begun = performance.now()
    for (let done = 0; done < blocks; done++) hash.update(block)
    hash.digest()
    return (blocks * 1000) / (performance.now() - begun)
  })
  return Math.max(...rates)
}

function tell({ options }: Bench, results: readonly Result[], runs: readonly DataferryCost[], memory: boolean): void {
  const mib = options.size / MIB
  const rows = standings(
    results.filter(({ name }) => name !== START_UP),
    mib,
  )
  const limit = md5Limit(options.size)
  const secondsOf = (name: string): number => results.find((one) => one.name === name)?.seconds ?? NaN
  const rate = (name: string): number => rows.find((row) => row.name === name)?.perSecond ?? NaN
  const summary = {
    md5MiBPerSecond: limit,
    ofMd5: rate('dataferry') / limit,
    startUpSeconds: secondsOf(START_UP),
    withoutStartUp: mib / (secondsOf('dataferry') - secondsOf(START_UP)),
    engineOfMd5: rate('dataferry, engine alone') / limit,
    peakRssMiB: median(runs.map(({ peakRss }) => peakRss)) / MIB,
  }
  const about = { benchmark: 'large', mib, inMemory: memory }
  report({ title: `One file of ${mib} MiB`, unit: 'MiB/s', amount: mib }, rows, about)
  emit({ ...about, ...summary })
  say(
    `  MD5 of one core: ${limit.toFixed(0)} MiB/s; dataferry reaches ${summary.ofMd5.toFixed(2)} of it, its engine alone ${summary.engineOfMd5.toFixed(2)}`,
    `  dataferry without its start-up of ${summary.startUpSeconds.toFixed(2)} s: ${summary.withoutStartUp.toFixed(0)} MiB/s`,
    `  dataferry's peak memory: ${summary.peakRssMiB.toFixed(0)} MiB`,
  )
}
