import { loadavg } from 'node:os'
import type { Bench } from './bench.ts'
import { bundle } from './bundle.ts'
import { checkProgram } from './dataferry.ts'
import { digest } from './digest.ts'
import { large } from './large.ts'
import { manifest } from './manifest.ts'
import { mirror } from './mirror.ts'
import { machine, readOptions, USAGE, type Name } from './options.ts'
import { emit, say } from './output.ts'
import { queue } from './queue.ts'
import { s3 } from './s3.ts'
import { scale } from './scale.ts'
import { small } from './small.ts'
import { start } from './start.ts'
import { verify } from './verify.ts'

/**
 * `npm run bench`: results as JSON lines on standard output, tables for people on standard error. A benchmark that cannot
 * be carried out whole fails, and with it the command: no number is better than a wrong one.
 */
const BENCHMARKS: Readonly<Record<Name, (bench: Bench) => Promise<void>>> = {
  large,
  digest,
  small,
  bundle,
  queue,
  manifest,
  s3,
  verify,
  mirror,
  start,
  scale,
}

const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => stopping.abort(new Error(`Stopped by ${name}.`)))
}

async function main(args: readonly string[]): Promise<void> {
  const { names, options } = readOptions(args)
  await checkProgram(options.program)
  emit({
    benchmark: 'machine',
    ...machine(),
    load: loadavg()[0],
    program: options.program,
    at: new Date().toISOString(),
  })
  for (const name of names) await BENCHMARKS[name]({ options, signal: stopping.signal })
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error), '', USAGE)
  process.exitCode = 1
}
