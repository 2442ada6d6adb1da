import type { Environment } from '../config/environment.ts'
import type { Verb } from './commands.ts'
import { Output, type OutputOptions, type Sheet } from './terminal/output.ts'
import type { Typed } from './parser.ts'

/** Everything the program gets from its environment. */
export interface World {
  readonly stdout: Sheet
  readonly stderr: Sheet
  readonly env: Environment
  readonly cwd: string
  /** Aborts when a person stops the command. */
  readonly signal: AbortSignal
  readonly verbs: readonly Verb[]
  /** Told of every record of results. */
  readonly onRecord?: OutputOptions['onRecord']
  /** Default: the system's clock. */
  readonly now?: (() => Date) | undefined
}

/** Where a command line that was read so far prints to. */
export function outputFor(
  { stdout, stderr, env, onRecord }: World,
  { json, quiet, color }: Pick<Typed, 'json' | 'quiet' | 'color'>,
): Output {
  const redraws = env['TERM'] !== 'dumb'
  return new Output({ stdout, stderr, json, quiet, redraws, color: color && redraws && !env['NO_COLOR'], onRecord })
}
