import { DeleteBucketCommand, DeleteObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ACCESS_KEY, findBinary, SECRET_KEY, startProcess, type S3Server } from '../test/s3-process.ts'
import { dataferryOptions, toolOptions, type Bench } from './bench.ts'
import { contest, median, type Contender, type Result } from './contest.ts'
import { dataferry, type DataferryCost } from './dataferry.ts'
import { emit, report, say, standings } from './output.ts'
import { toolEnvironment } from './process.ts'
import { scratch } from './scratch.ts'
import { startServer, type BenchFile } from './stand-in.ts'
import { isInstalled, shell, type Cost } from './tools.ts'

const MIB = 1024 * 1024
/** A store may hold an object twice while it puts the parts together. */
const ROOM = 2.5
const START_UP = 'dataferry, 1-byte file'

/** Where a contender brings the file to. */
interface Place {
  readonly bucket: string
  /** Its working folder. */
  readonly folder: string
}

/** A run of a tool whose own peak memory was written down, in bytes. */
interface ToolCost extends Cost {
  readonly peakRss?: number
}

/** One large file into an S3 server on loopback: dataferry beside rclone and s5cmd, which have no checksum to compare with. */
export async function s3(bench: Bench): Promise<void> {
  const { options, signal } = bench
  const binary = findBinary(options.store)
  if (binary === undefined)
    throw new Error(`${options.store} is neither on PATH nor in the cache: see "Tests" in docs/s3.md.`)
  await using folder = await scratch(options.size * ROOM, options.dir)
  say(`s3: ${options.size / MIB} MiB to ${options.store} in ${folder.path}${folder.memory ? ' (in memory)' : ''}`)
  await using server = await startServer({ world: `big:${options.size},1` })
  const [file, tiny] = await server.files(signal)
  if (!file || !tiny) throw new Error('The stand-in does not list two files.')
  const store = await startProcess(options.store, binary, { parent: folder.path })
  try {
    const clean: Clean = (work) => inNewBucket(store, join(folder.path, 'run'), work)
    const own = ({ id }: BenchFile) => clean((place) => fetchInto(bench, store, server.url, id, place))
    const contenders: Contender<ToolCost>[] = [
      { name: 'dataferry', run: () => own(file) },
      { name: START_UP, run: () => own(tiny) },
      ...(await tools(bench, store, file, clean)),
    ]
    tell(bench, await contest(contenders, options.repeat), folder.memory)
  } finally {
    await store.stop()
  }
}

type Clean = <C extends Cost>(work: (place: Place) => Promise<C>) => Promise<C>

async function inNewBucket<C>(store: S3Server, folder: string, work: (place: Place) => Promise<C>): Promise<C> {
  const bucket = await store.bucket()
  await mkdir(folder)
  try {
    return await work({ bucket, folder })
  } finally {
    await rm(folder, { recursive: true, force: true })
    await removeBucket(store, bucket)
  }
}

async function removeBucket({ client }: S3Server, bucket: string): Promise<void> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }))
  for (const { Key } of Contents) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }))
  await client.send(new DeleteBucketCommand({ Bucket: bucket }))
}

async function fetchInto(
  bench: Bench,
  { endpoint }: S3Server,
  server: string,
  id: number,
  { bucket, folder }: Place,
): Promise<DataferryCost> {
  const args = ['run', String(id), '--server', server, '--to', `s3://${bucket}`, '--endpoint', endpoint, '-q']
  return await dataferry(args, { ...dataferryOptions(bench, folder), env: credentials() })
}

/** The store's credentials and nothing else of AWS, which `AWS_…` variables of this machine could be about. */
function credentials(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const ours = Object.entries(toolEnvironment()).filter(([name]) => !name.startsWith('AWS_'))
  const aws = { AWS_ACCESS_KEY_ID: ACCESS_KEY, AWS_SECRET_ACCESS_KEY: SECRET_KEY, AWS_REGION: 'us-east-1' }
  return { ...Object.fromEntries(ours), ...aws, ...more }
}

/**
 * Scripts get the URL as `$1`, the MD5 as `$2` and the bucket as `$3`, and fail when the bytes are wrong. `$timed` writes the
 * peak memory of what it runs to the file `rss`, in KiB.
 */
const STORED = 'test "$(rclone cat "s3:$3/file" | md5sum)" = "$2  -"'
const SCRIPTS: Readonly<Record<string, string>> = {
  'rclone copyurl, no checksum': '$timed rclone copyurl "$1" "s3:$3/file"',
  'rclone copyurl, cat | md5sum': `$timed rclone copyurl "$1" "s3:$3/file"; ${STORED}`,
  'curl | tee | rclone rcat': hashedOnTheWay('rclone rcat "s3:$3/file"'),
  'curl | tee | s5cmd pipe': hashedOnTheWay('s5cmd --endpoint-url "$endpoint" pipe "s3://$3/file"'),
}

/** @param put stores its standard input */
function hashedOnTheWay(put: string): string {
  const get = 'curl --fail --silent --show-error "$1" | tee pipe'
  return `mkfifo pipe; md5sum < pipe > sum & ${get} | $timed ${put}; wait; test "$(cat sum)" = "$2  -"`
}

async function tools(
  bench: Bench,
  { endpoint }: S3Server,
  { url, md5 }: BenchFile,
  clean: Clean,
): Promise<Contender<ToolCost>[]> {
  const hasTime = await isInstalled('/usr/bin/time', toolOptions(bench, '/'))
  const env = credentials({
    RCLONE_CONFIG: '/dev/null',
    // Else it waits a second before each part for a store that does not answer `Expect: 100-continue`.
    RCLONE_EXPECT_CONTINUE_TIMEOUT: '0',
    RCLONE_CONFIG_S3_TYPE: 's3',
    RCLONE_CONFIG_S3_PROVIDER: 'Other',
    RCLONE_CONFIG_S3_ENV_AUTH: 'true',
    RCLONE_CONFIG_S3_ENDPOINT: endpoint,
    endpoint,
    timed: hasTime ? '/usr/bin/time --format=%M --output=rss' : '',
  })
  const work = async (script: string, { bucket, folder }: Place): Promise<ToolCost> => {
    const cost = await shell(script, [url, md5, bucket], { ...toolOptions(bench, folder), env })
    return hasTime ? { ...cost, peakRss: Number(await readFile(join(folder, 'rss'), 'utf8')) * 1024 } : cost
  }
  const found: Contender<ToolCost>[] = []
  for (const [name, script] of Object.entries(SCRIPTS)) {
    const [tool = ''] = /rclone|s5cmd/.exec(name) ?? []
    if (await isInstalled(tool, toolOptions(bench, '/')))
      found.push({ name, run: () => clean((place) => work(script, place)) })
    else say(`  ${tool}: not installed`)
  }
  return found
}

function tell({ options }: Bench, results: readonly Result<ToolCost>[], memory: boolean): void {
  const mib = options.size / MIB
  const about = { benchmark: 's3', store: options.store, mib }
  const rows = standings(
    results.filter(({ name }) => name !== START_UP),
    mib,
  )
  report({ title: `One file of ${mib} MiB to ${options.store}`, unit: 'MiB/s', amount: mib }, rows, {
    ...about,
    inMemory: memory,
  })
  const secondsOf = (name: string): number => results.find((one) => one.name === name)?.seconds ?? NaN
  const startUpSeconds = secondsOf(START_UP)
  const withoutStartUp = mib / (secondsOf('dataferry') - startUpSeconds)
  emit({ ...about, startUpSeconds, withoutStartUp })
  say(`  dataferry without its start-up of ${startUpSeconds.toFixed(2)} s: ${withoutStartUp.toFixed(0)} MiB/s`)
  for (const { name } of rows) {
    const peak = peakRssMiB(results, name)
    if (peak === undefined) continue
    emit({ ...about, name, peakRssMiB: peak })
    say(`  peak memory of ${name.split(/[ ,]/, 1).join('')} (${name}): ${peak.toFixed(0)} MiB`)
  }
}

/** Undefined where nothing measured it. */
function peakRssMiB(results: readonly Result<ToolCost>[], name: string): number | undefined {
  const runs = results.find((one) => one.name === name)?.runs ?? []
  const peaks = runs.map(({ peakRss }) => peakRss).filter((peak) => peak !== undefined)
  return peaks.length === 0 ? undefined : median(peaks) / MIB
}
