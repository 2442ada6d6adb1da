import { link, mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createHash, randomBytes } from 'node:crypto'
import { EMPTY_PLAN, writeBatch, writePlanState } from '../src/batch/folder.ts'
import { ItemsWriter } from '../src/batch/items-file.ts'
import { OutcomeWriter } from '../src/batch/outcome-log.ts'
import type { Batch, PlanState } from '../src/model/batch.ts'
import type { Checksum } from '../src/model/checksum.ts'
import type { Item } from '../src/model/item.ts'
import { receiptFor } from '../src/model/receipt.ts'
import { diskSink } from '../src/sinks/disk/disk-sink.ts'
import type { Sink } from '../src/sinks/sink.ts'
import { dataferryOptions, toolOptions, type Bench } from './bench.ts'
import { contest, type Contender } from './contest.ts'
import { dataferry } from './dataferry.ts'
import { emit, report, say, standings } from './output.ts'
import { scratch } from './scratch.ts'
import { shell, type Cost } from './tools.ts'

const MIB = 1024 * 1024
const SERVER = 'http://stand-in.invalid'
/** Names of one file: some file systems allow no more. */
const LINKS = 30_000
const FILES_A_FOLDER = 1_000
const WRITTEN_AT_ONCE = 1_000
/** What nobody waits for here is computed from the largest count that was measured. */
const TEN_MILLION = 10_000_000

interface BenchFile {
  readonly path: string
  readonly size: number
  readonly checksum: Checksum
}

/** A destination is verified: memory must not grow with its receipts, and large files must keep every core busy. */
export async function verify(bench: Bench): Promise<void> {
  for (const count of bench.options.receipts) await manyReceipts(bench, count)
  await largeFiles(bench)
}

/** Two batches that overlap by half; the files are names of few, since they are not what is measured. */
async function manyReceipts(bench: Bench, count: number): Promise<void> {
  await using folder = await scratch(count * 2048, bench.options.dir)
  say(`verify: ${count} receipts in ${folder.path}`)
  const data = join(folder.path, 'data')
  const half = Math.floor(count / 2)
  const quarter = Math.floor(count / 4)
  const files = await manyFiles(data, quarter + half)
  const sink = diskSink(data)
  await record(sink, 'first', files.slice(0, half))
  await record(sink, 'second', files.slice(quarter))
  await sink.close()
  const args = ['verify', data, '-q', '--json']
  const { seconds, cpuSeconds, peakRss } = await dataferry(args, dataferryOptions(bench, folder.path))
  const row = {
    receipts: 2 * half,
    files: files.length,
    seconds,
    receiptsPerSecond: (2 * half) / seconds,
    cpuMsPerReceipt: (cpuSeconds * 1000) / (2 * half),
    peakRssMiB: peakRss / MIB,
    tenMillionMinutes: (seconds * TEN_MILLION) / (2 * half) / 60,
  }
  emit({ benchmark: 'verify', part: 'receipts', ...row })
  say('', `${row.receipts} receipts verified`)
  for (const [name, value] of Object.entries(row)) say(`  ${name.padEnd(18)}${value.toFixed(2).padStart(14)}`)
}

/** Names of a few small files, a thousand in each folder. */
async function manyFiles(data: string, count: number): Promise<BenchFile[]> {
  const files: BenchFile[] = []
  let source = ''
  let checksum: Checksum = { algorithm: 'md5', hex: '' }
  for (let n = 0; n < count; n++) {
    const path = `d${Math.floor(n / FILES_A_FOLDER)}/a file with a name of usual length ${n}.csv`
    const full = join(data, path)
    if (n % FILES_A_FOLDER === 0) await mkdir(join(full, '..'), { recursive: true })
    if (n % LINKS === 0) {
      const content = `content ${n}\n`
      checksum = { algorithm: 'md5', hex: createHash('md5').update(content).digest('hex') }
      await writeFile(full, content)
      files.push({ path, size: content.length, checksum })
      source = full
    } else {
      await link(source, full)
      files.push({ path, size: files.at(-1)?.size ?? 0, checksum })
    }
  }
  return files
}

/** A batch that has brought these files. */
async function record({ records, url }: Sink, id: string, files: readonly BenchFile[]): Promise<void> {
  const writer = await ItemsWriter.open(records, id, { items: 0, bytes: 0 })
  const log = new OutcomeWriter(records, id, 'bench')
  for (let from = 0; from < files.length; from += WRITTEN_AT_ONCE) {
    const items = files.slice(from, from + WRITTEN_AT_ONCE).map((file) => writer.add(itemOf(file)))
    await writer.flush()
    await Promise.all(items.map((item) => log.record(receiptFor('done', item, known(item)))))
  }
  await log.close()
  await writer.close()
  const plan: PlanState = { ...EMPTY_PLAN, ...writer.position, entries: files.length, complete: true }
  await writePlanState(records, id, plan)
  const manifest = { name: 'bench', format: 'list', sha256: '', entries: files.length }
  const wish = { servers: [SERVER], format: 'original', existing: 'error', manifest } as const
  const batch: Batch = {
    v: 1,
    id,
    key: id,
    createdAt: new Date().toISOString(),
    destination: url,
    ...wish,
    servers: [SERVER],
  }
  await writeBatch(records, batch)
}

function itemOf({ path, size, checksum }: BenchFile): Omit<Item, 'n'> {
  return { server: SERVER, ref: { kind: 'file', file: 1, format: 'original' }, path, expect: { size, checksum } }
}

function known({ expect: { size = 0, checksum } }: Item): Parameters<typeof receiptFor>[2] {
  return { size, verified: 'checksum', ...(checksum && { checksum }) }
}

/** As many files as there are cores, and as many again, beside what `md5sum` needs for them. */
async function largeFiles(bench: Bench): Promise<void> {
  const { size, repeat, dir } = bench.options
  const cores = cpus().length
  const each = Math.floor(size / (2 * cores))
  await using folder = await scratch(size * 1.1, dir)
  say(`verify: ${2 * cores} files of ${Math.round(each / MIB)} MiB in ${folder.path}`)
  const data = join(folder.path, 'data')
  await mkdir(data)
  const content = randomBytes(each)
  const checksum: Checksum = { algorithm: 'md5', hex: createHash('md5').update(content).digest('hex') }
  const files = Array.from({ length: 2 * cores }, (_, n) => ({ path: `large-${n}`, size: each, checksum }))
  for (const { path } of files) await writeFile(join(data, path), content)
  const sink = diskSink(data)
  await record(sink, 'large', files)
  await sink.close()
  const tools = (script: string) => (): Promise<Cost> => shell(script, [String(cores)], toolOptions(bench, data))
  const contenders: Contender[] = [
    { name: 'dataferry', run: () => dataferry(['verify', data, '-q'], dataferryOptions(bench, folder.path)) },
    { name: 'md5sum', run: tools('md5sum large-* > ../sums') },
    { name: 'xargs -P, md5sum', run: tools('printf "%s\\n" large-* | xargs -n 1 -P "$1" md5sum > ../sums') },
  ]
  const amount = (each * files.length) / MIB
  const title = `${files.length} files of ${Math.round(each / MIB)} MiB read and compared`
  const rows = standings(await contest(contenders, repeat), amount)
  report({ title, unit: 'MiB/s', amount }, rows, { benchmark: 'verify', part: 'large' })
}
