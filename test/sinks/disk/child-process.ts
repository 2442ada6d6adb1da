import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { nodeProgram } from '../../node-program.ts'
import type { Answer, ChildSettings, Order } from './sink.child.ts'

const SCRIPT = fileURLToPath(new URL('sink.child.ts', import.meta.url))

/** Another process with a disk sink of its own, which does as it is told. Disposing kills it. */
export class SinkProcess implements AsyncDisposable {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** @param before a command that runs the rest of its arguments, such as `unshare` with options */
  static async start(
    root: string,
    times: Partial<ChildSettings> = {},
    before: readonly string[] = [],
  ): Promise<SinkProcess> {
    const settings: ChildSettings = { root, heartbeatMs: 5000, staleMs: 30_000, ...times }
    const node = [process.execPath, ...nodeProgram(SCRIPT), JSON.stringify(settings)]
    const [command = process.execPath, ...args] = [...before, ...node]
    const child = new SinkProcess(spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
    await child.#answer()
    return child
  }

  /** @returns `done`, or the code of the error */
  async tell(order: Order): Promise<string> {
    const answer = this.#answer()
    this.#child.send(order)
    return answer
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  wake(): void {
    this.#child.kill('SIGCONT')
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await gone
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }

  async #answer(): Promise<string> {
    const left = new AbortController()
    try {
      const exit = once(this.#child, 'exit', { signal: left.signal }).then(() => {
        throw new Error('the child process has ended')
      })
      const [answer] = (await Promise.race([once(this.#child, 'message', { signal: left.signal }), exit])) as [Answer]
      return answer.result
    } finally {
      left.abort()
    }
  }
}
