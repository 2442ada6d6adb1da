import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { z } from 'zod'
import { DataferryError, isErrorCode } from '../../errors.ts'
import type { Environment } from '../../config/environment.ts'
import { parseJson } from '../../json/parse-json.ts'
import type { Logger } from '../../log.ts'
import { ownProcess } from '../../process/process-identity.ts'
import { planningEnvironment } from '../supervision.ts'

/** How a command ended that was started from here. */
export interface ChildEnd {
  /** Undefined: a signal ended it. */
  readonly code: number | undefined
  /** What it printed with `--json`. */
  readonly records: readonly Readonly<Record<string, unknown>>[]
}

const MOST_OUTPUT = 4 << 20
const GRACE_MS = 20_000

const recordSchema = z.record(z.string(), z.unknown())
const errorSchema = z.object({
  event: z.literal('error'),
  code: z.string(),
  message: z.string(),
  advice: z.string().optional(),
  command: z.string().optional(),
})

/**
 * Command lines that the dashboard runs as processes of their own: what is planned or mirrored may take hours, and a page must not
 * hold up its server. No shell takes part.
 */
export class ChildCommands {
  readonly #log: Logger
  readonly #env: Environment
  readonly #running = new Set<ChildProcess>()

  constructor(log: Logger, env: Environment) {
    this.#log = log
    this.#env = env
  }

  /** Runs a command to its end. */
  run(args: readonly string[]): Promise<ChildEnd> {
    return this.#run(args, { stdio: ['ignore', 'pipe', 'ignore'], env: this.#env })
  }

  /** Runs a command that plans what a page shows to its end. It is stopped when the signal aborts, and when this process dies. */
  async plan(args: readonly string[], manifest: string, signal?: AbortSignal): Promise<ChildEnd> {
    const env = planningEnvironment(this.#env, await ownProcess())
    return this.#run(args, { stdio: ['pipe', 'pipe', 'ignore', 'ipc'], env }, manifest, signal)
  }

  async #run(args: readonly string[], how: SpawnOptions, input = '', signal?: AbortSignal): Promise<ChildEnd> {
    const [, main = ''] = process.argv
    const child = spawn(process.execPath, [...process.execArgv, main, ...args, '--json', '--quiet'], how)
    this.#running.add(child)
    const stop = (): void => void child.kill('SIGTERM')
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (output.length < MOST_OUTPUT) output += text
    })
    child.stdin?.on('error', () => undefined).end(input)
    try {
      await once(child, 'close')
    } finally {
      this.#running.delete(child)
      signal?.removeEventListener('abort', stop)
    }
    const lines = output.split('\n').map((line) => recordSchema.safeParse(parseJson(line)).data)
    const records = lines.filter((record) => record !== undefined)
    this.#log.info({ verb: args[0], code: child.exitCode }, 'command of the dashboard ended')
    return { code: child.exitCode ?? undefined, records }
  }

  /** Asks all to stop; they park what they do. */
  async close(): Promise<void> {
    const ends = [...this.#running].map(async (child) => {
      const ended = once(child, 'close')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref()
      await ended
      clearTimeout(late)
    })
    await Promise.all(ends)
  }
}

/**
 * The error that a command ended with, as its own `--json` says it.
 * @param otherwise what is told where it says none
 */
export function errorOf({ records, code }: ChildEnd, otherwise = 'it said nothing.'): DataferryError {
  const error = records.map((record) => errorSchema.safeParse(record).data).findLast((one) => one !== undefined)
  if (!error) return new DataferryError('INTERRUPTED', `The command ended with ${code ?? 'a signal'}: ${otherwise}`)
  const known = isErrorCode(error.code) ? error.code : 'ARGUMENT_INVALID'
  const { message, advice, command } = error
  return new DataferryError(known, message, {
    ...(advice !== undefined && { advice }),
    ...(command !== undefined && { command }),
  })
}
