import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { WORLD_PID } from '../test/fakes/dataverse/worlds.ts'
import { toolEnvironment } from './process.ts'
import { dataferryOptions, type Bench } from './bench.ts'
import { median } from './contest.ts'
import { dataferry } from './dataferry.ts'
import { emit, say } from './output.ts'
import { scratch, type Scratch } from './scratch.ts'
import { startServer, type BenchServer } from './stand-in.ts'

/** Bytes of all files of one measurement: as many files as make these up, within bounds. */
const TOTAL = 64 << 20
const MOST_FILES = 2_000
const FEWEST_FILES = 60
const FILE_SIZES = [20 << 10, 128 << 10, 512 << 10, 1 << 20, 2 << 20]
const FILES_A_REQUEST = [25, 50, 100, 200]
const MIB_A_REQUEST = [4, 8, 16, 32, 64]

interface Case {
  readonly latencyMs: number
  readonly fileSize: number
  readonly bundle: boolean
  readonly files?: number
  readonly mib?: number
}

/** What the thresholds of `--bundle` are worth: up to which size of a file, and how much in one request. */
export async function bundle(bench: Bench): Promise<void> {
  const { latency, streams } = bench.options
  await using folder = await scratch(4 * TOTAL, bench.options.dir)
  say(`bundle: ${streams} streams to ${folder.path}${folder.memory ? ' (in memory)' : ''}`)
  for (const fileSize of FILE_SIZES) {
    const count = Math.max(FEWEST_FILES, Math.min(MOST_FILES, Math.floor(TOTAL / fileSize)))
    await using server = await startServer({ world: `tiny:${count}:${fileSize}` })
    for (const latencyMs of latency) {
      await server.set({ latencyMs })
      for (const one of casesOf(fileSize, latencyMs)) await measure(bench, server, folder, count, one)
    }
  }
}

function casesOf(fileSize: number, latencyMs: number): Case[] {
  const basic = [false, true].map((bundle) => ({ latencyMs, fileSize, bundle }))
  // How many files matters where they are small, how many bytes where they are not.
  if (fileSize === FILE_SIZES[0])
    return [...basic, ...FILES_A_REQUEST.map((files) => ({ latencyMs, fileSize, bundle: true, files }))]
  if (fileSize === 512 << 10)
    return [...basic, ...MIB_A_REQUEST.map((mib) => ({ latencyMs, fileSize, bundle: true, mib }))]
  return basic
}

async function measure(bench: Bench, server: BenchServer, { path }: Scratch, count: number, one: Case): Promise<void> {
  const { streams, repeat } = bench.options
  const to = join(path, 'run')
  const size = one.bundle ? String(2 * one.fileSize) : 'off'
  const args = ['run', WORLD_PID, '--server', server.url, '--to', join(to, 'data'), '--jobs', String(streams), '-q']
  const env = {
    ...(one.files !== undefined && { DATAFERRY_BUNDLE_FILES: String(one.files) }),
    ...(one.mib !== undefined && { DATAFERRY_BUNDLE_BYTES: `${one.mib}M` }),
  }
  const seconds: number[] = []
  const memory: number[] = []
  for (let round = 0; round < repeat; round++) {
    await mkdir(to)
    const cost = await dataferry([...args, '--bundle', size], {
      ...dataferryOptions(bench, to),
      env: toolEnvironment(env),
    })
    await rm(to, { recursive: true, force: true })
    seconds.push(cost.seconds)
    memory.push(cost.peakRss)
  }
  const [took, peakRssMiB] = [median(seconds), median(memory) / 1024 ** 2]
  emit({ benchmark: 'bundle', ...one, count, streams, seconds: took, filesPerSecond: count / took, peakRssMiB })
  const how = one.bundle
    ? `bundled${one.files ? `, ${one.files} files` : ''}${one.mib ? `, ${one.mib} MiB` : ''}`
    : 'singly'
  say(
    `  ${String(one.fileSize >> 10).padStart(5)} KiB × ${String(count).padStart(4)}, ${String(one.latencyMs).padStart(2)} ms, ${how.padEnd(20)} ${took.toFixed(2).padStart(7)} s ${(count / took).toFixed(0).padStart(6)} files/s ${peakRssMiB.toFixed(0).padStart(5)} MiB`,
  )
}
