import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

/** How a process is run, and what bounds it. */
export interface ProcessOptions {
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  /** Seconds after which it is ended and the call rejects. */
  readonly timeout: number
  readonly signal: AbortSignal
}

export interface Finished {
  readonly seconds: number
  readonly stdout: string
}

/** Time to leave in good order before SIGKILL. */
const GRACE_MS = 10_000
/** The end of what a process said is what explains its failure. */
const SAID = 2000

/**
 * Runs a command to its end. Rejects, with the end of its standard error, when it fails, takes too long, or `signal`
 * aborts; then its whole process group is gone.
 */
export async function run(command: readonly string[], options: ProcessOptions): Promise<Finished> {
  options.signal.throwIfAborted()
  const [file = '', ...args] = command
  const stop = AbortSignal.any([options.signal, AbortSignal.timeout(options.timeout * 1000)])
  const begun = performance.now()
  // A group of its own, so that a pipeline is ended as a whole.
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env ?? toolEnvironment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr = (said.stderr + text).slice(-SAID)))
  const end = once(child, 'close')
  const onStop = (): void => void endGroup(child.pid, end)
  stop.addEventListener('abort', onStop, { once: true })
  try {
    await end
  } finally {
    stop.removeEventListener('abort', onStop)
  }
  const seconds = (performance.now() - begun) / 1000
  options.signal.throwIfAborted()
  if (child.exitCode === 0) return { seconds, stdout: said.stdout }
  const how = stop.aborted ? `took more than ${options.timeout} s` : `ended with ${child.exitCode ?? child.signalCode}`
  throw new Error(`${command.join(' ').slice(0, 300)} ${how}:\n${said.stderr}`)
}

/** Our environment without what would steer dataferry or send a tool through a proxy. */
export function toolEnvironment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const steering = /^(?:DATAFERRY_|DATAVERSE_|REDIS_URL$|NODE_OPTIONS$|.*_proxy$)/i
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !steering.test(name))), ...more }
}

async function endGroup(pid: number | undefined, end: Promise<unknown>): Promise<void> {
  if (pid === undefined) return
  kill(pid, 'SIGTERM')
  const grace = new AbortController()
  await Promise.race([end, sleep(GRACE_MS, undefined, { signal: grace.signal }).catch(() => undefined)])
  grace.abort()
  kill(pid, 'SIGKILL')
}

function kill(group: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-group, signal)
  } catch {
    // Everybody has left already.
  }
}
