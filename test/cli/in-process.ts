import { VERBS } from '../../src/cli/commands.ts'
import { runProgram } from '../../src/cli/program.ts'
import { Recorder } from './recorder.ts'

/** How a command line that ran in this process ended. */
export interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** The last line of standard output, as JSON. */
  readonly record: () => unknown
}

interface World {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly stdout?: Recorder
  readonly now?: (() => Date) | undefined
}

/** Runs a command line in this process, as far as its standard output is text. */
export async function runInProcess(args: readonly string[], world: World): Promise<Ended> {
  const { cwd, env = {}, signal = new AbortController().signal, stdout = new Recorder(), now } = world
  const stderr = new Recorder()
  const code = await runProgram(args, { stdout, stderr, env, cwd, signal, verbs: VERBS, now })
  return {
    code,
    stdout: stdout.text,
    stderr: stderr.text,
    record: () => JSON.parse(stdout.lines.at(-1) ?? '') as unknown,
  }
}
