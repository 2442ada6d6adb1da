import { fork, type ChildProcess } from 'node:child_process'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/**
 * Arguments with which Node.js runs a source of this repository: as a bundle where the test run made it (bundle-programs.ts),
 * else through tsx, as in benchmarks and `npm run chaos`.
 * @param source its path; of JavaScript it is all that is needed
 */
export function nodeProgram(source: string): string[] {
  if (!source.endsWith('.ts')) return [source]
  const programs = process.env['TEST_PROGRAMS']
  if (programs === undefined) return ['--import', import.meta.resolve('tsx'), source]
  return [join(programs, `${bundledName(relative(ROOT, source))}.js`)]
}

/** What the bundle of a program is called, by its source's path from the root of the project. */
export function bundledName(source: string): string {
  return source.replace(/\.ts$/, '').replaceAll(/[\\/]/g, '.')
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
