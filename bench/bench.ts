import { join } from 'node:path'
import type { DataferryOptions } from './dataferry.ts'
import type { Options } from './options.ts'
import type { ProcessOptions } from './process.ts'

/** What every benchmark gets. */
export interface Bench {
  readonly options: Options
  /** Aborts when somebody presses Ctrl-C: what runs is ended, and what was made is removed. */
  readonly signal: AbortSignal
}

/** How the tools are run in a folder. */
export function toolOptions({ options, signal }: Bench, cwd: string): ProcessOptions {
  return { cwd, timeout: options.timeout, signal }
}

/** How dataferry is run in a folder, with a private Redis of its own below it. */
export function dataferryOptions(bench: Bench, cwd: string): DataferryOptions {
  const { program, profile } = bench.options
  return { ...toolOptions(bench, cwd), program, profile, state: join(cwd, 'state') }
}
