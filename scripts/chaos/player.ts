import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** What a process is started with. */
export interface Program {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
}

/** Characters of its standard error that are kept. */
const SAID = 20_000

/** `service`: is started again however it ended, until it is dismissed; `command`: only until it has ended with 0. */
export type Role = 'service' | 'command'

/** A process that is started again when it has died. */
export class Player {
  readonly name: string
  readonly #role: Role
  readonly #program: Program
  readonly #restartMs: () => number
  #child: ChildProcess | undefined
  #dismissed = false
  #said = ''
  /** Resolves with its exit code when it is not started again. */
  readonly over: Promise<number>
  starts = 0

  /** @param restartMs how long it stays dead, drawn anew for each death */
  constructor(name: string, role: Role, program: Program, restartMs: () => number) {
    this.name = name
    this.#role = role
    this.#program = program
    this.#restartMs = restartMs
    this.over = this.#play()
  }

  get pid(): number | undefined {
    return this.#child?.exitCode === null && this.#child.signalCode === null ? this.#child.pid : undefined
  }

  /** The end of what it wrote to standard error. */
  get said(): string {
    return this.#said
  }

  /** Asks it to end for good, as an operator does. @returns its exit code */
  async dismiss(): Promise<number> {
    this.#dismissed = true
    this.#child?.kill('SIGTERM')
    return this.over
  }

  async #play(): Promise<number> {
    for (;;) {
      const code = await this.#live()
      if ((code === 0 && this.#role === 'command') || this.#isDismissed()) return code
      await sleep(this.#restartMs())
      if (this.#isDismissed()) return code
    }
  }

  #isDismissed(): boolean {
    return this.#dismissed
  }

  #live(): Promise<number> {
    const { file, args, env, cwd } = this.#program
    this.starts += 1
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#said = (this.#said + text).slice(-SAID)))
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => {
        // Its own children may hold the other end for a while.
        child.stderr.destroy()
        resolve(code ?? -1)
      })
    })
  }
}

/** The children of a process that live. */
export async function childrenOf(pid: number): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-e', '-o', 'pid=,ppid=,stat='])
  return stdout.split('\n').flatMap((line) => {
    const [child = '', parent = '', state = 'Z'] = line.trim().split(/\s+/)
    return Number(parent) === pid && !state.startsWith('Z') ? [Number(child)] : []
  })
}

/** Sends a signal; one that is gone already is no error. */
export function strike(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It was quicker.
  }
}
