import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { startEmbeddedRedis } from '../src/queue/embedded/redis.ts'
import type { Program } from './options.ts'
import { run, toolEnvironment, type ProcessOptions } from './process.ts'
import type { Cost } from './tools.ts'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const COMPILED = join(ROOT, 'dist/bin/dataferry.js')

/** What a run of dataferry took. `peakRss` is bytes of its one process, all threads included. */
export interface DataferryCost extends Cost {
  readonly peakRss: number
}

export interface DataferryOptions extends ProcessOptions {
  readonly program: Program
  /** Folder of its private Redis. */
  readonly state: string
  readonly profile?: string | undefined
}

const usageSchema = z.object({ cpuSeconds: z.number(), peakRss: z.number() })

/** Runs the command line to its end, which must be a success: every file there and verified. */
export async function dataferry(args: readonly string[], options: DataferryOptions): Promise<DataferryCost> {
  const usage = join(options.cwd, 'usage.json')
  const env = {
    ...(options.env ?? toolEnvironment()),
    DATAFERRY_STATE_DIR: options.state,
    BENCH_USAGE: usage,
  }
  await mkdir(options.state, { recursive: true })
  try {
    const { seconds } = await run([process.execPath, ...nodeFlags(options), ...args], { ...options, env })
    return { seconds, ...usageSchema.parse(JSON.parse(await readFile(usage, 'utf8'))) }
  } catch (error) {
    await stopRedis(options.state)
    throw error
  }
}

/** Ends the private Redis that a killed process left: joins it and leaves as the last. */
async function stopRedis(stateDir: string): Promise<void> {
  const redis = await startEmbeddedRedis({ stateDir, path: process.env['PATH'] ?? '' })
  await redis.release()
}

function nodeFlags({ program, profile }: DataferryOptions): string[] {
  const recorder = ['--import', new URL('record-usage.mjs', import.meta.url).href]
  const profiler = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', resolve(profile)]
  if (program === 'dist') return [...profiler, ...recorder, COMPILED]
  return [...profiler, '--import', import.meta.resolve('tsx'), ...recorder, join(ROOT, 'src/cli/main.ts')]
}

/** Rejects when the compiled program is missing or older than the sources, so that nobody measures yesterday's. */
export async function checkProgram(program: Program): Promise<void> {
  if (program === 'source') return
  const advice = 'run `npm run build`, or measure the sources with --program source'
  if (!existsSync(COMPILED)) throw new Error(`dist/ is not there: ${advice}.`)
  const built = (await stat(COMPILED)).mtimeMs
  for (const folder of ['src', 'jobs', 'workers']) {
    const entries = await readdir(join(ROOT, folder), { recursive: true, withFileTypes: true })
    for (const entry of entries.filter((one) => one.isFile())) {
      const source = join(entry.parentPath, entry.name)
      if ((await stat(source)).mtimeMs > built) throw new Error(`dist/ is older than ${source}: ${advice}.`)
    }
  }
}
