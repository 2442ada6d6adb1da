import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeProgram } from '../node-program.ts'

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

/** How a command ended. */
export interface Ended {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs in a process of its own, as its users start it. */
export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** What it has printed so far, on standard output and on standard error. */
  readonly said: () => string
}

/** A folder for one test, with what a user's machine has: a state folder and a place for files. Disposing removes it. */
export interface Home extends AsyncDisposable {
  readonly folder: string
  readonly data: string
  readonly env: Readonly<Record<string, string>>
  /** @param wrapper a command that runs what follows it, such as `unshare` */
  start(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
    input?: string,
    wrapper?: readonly string[],
  ): Started
  run(args: readonly string[], env?: Readonly<Record<string, string>>, input?: string): Promise<Ended>
}

/** Waits are short in tests; what they are in life is the settings' business. */
const FAST = {
  DATAFERRY_THROTTLE_FIRST: '50ms',
  DATAFERRY_THROTTLE_MAX: '200ms',
  DATAFERRY_RETRY_WAIT: '20ms',
  DATAFERRY_RETRY_MAX_WAIT: '100ms',
  DATAFERRY_IDLE_TIMEOUT: '2s',
}

export async function makeHome(): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'df-e2e-'))
  const { PATH = '', REDIS_URL } = process.env
  const env = {
    PATH,
    HOME: folder,
    DATAFERRY_STATE_DIR: join(folder, 'state'),
    ...FAST,
    ...(REDIS_URL !== undefined && { REDIS_URL, DATAFERRY_PREFIX: `{e2e-${folder.slice(-6)}}` }),
  }
  const start: Home['start'] = (args, more = {}, input = '', wrapper = []) =>
    startCommand(args, folder, { ...env, ...more }, input, wrapper)
  return {
    folder,
    data: join(folder, 'data'),
    env,
    start,
    run: (...args) => start(...args).ended,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}

function startCommand(
  args: readonly string[],
  cwd: string,
  env: Record<string, string>,
  input: string,
  wrapper: readonly string[],
): Started {
  const program = [process.execPath, ...nodeProgram(MAIN), ...args]
  const [file = '', ...rest] = [...wrapper, ...program]
  const child = spawn(file, rest, { cwd, env })
  const out = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (out.stderr += text))
  child.stdin.on('error', () => undefined).end(input)
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code: code ?? undefined, ...out }))
  })
  return { child, ended, said: () => `${out.stdout}${out.stderr}` }
}

/** The NDJSON of a command's standard output. */
export function records(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const parsed: unknown = JSON.parse(line)
      if (typeof parsed !== 'object' || parsed === null) throw new Error(`not a record: ${line}`)
      return { ...parsed }
    })
}
