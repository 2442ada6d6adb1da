import { fork, type ChildProcess } from 'node:child_process'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Arguments with which Node.js runs a source of this repository: as JavaScript where the test run compiled it (compile.ts),
 * else through tsx, as in benchmarks and `npm run chaos`.
 * @param source its path; of JavaScript it is all that is needed
 */
export function nodeProgram(source: string): string[] {
  if (!source.endsWith('.ts')) return [source]
  const compiled = process.env['TEST_PROGRAMS']
  if (compiled === undefined) return ['--import', import.meta.resolve('tsx'), source]
  return [join(compiled, relative(ROOT, source).replace(/\.ts$/, '.js'))]
}

/** The same as a child with which messages are exchanged. */
export function forkProgram(
  source: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  const program = nodeProgram(source)
  return fork(program.at(-1) ?? '', args, { execArgv: program.slice(0, -1), env: { ...process.env, ...env } })
}
