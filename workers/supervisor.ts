import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../src/log.ts'

export interface SupervisorOptions {
  readonly count: number
  /** Starts one process. */
  readonly spawn: () => ChildProcess
  /** Recovers the jobs of dead processes; see `recoverCrashed`. */
  readonly recover: () => Promise<void>
  /** Asks the children to park and end. */
  readonly signal: AbortSignal
  /** After this long, children that have not ended are killed: what they hold is kept anyway. */
  readonly graceMs: number
  /**
   * Called when the first child ends since its settings are wrong (2): none is started again. Where an earlier one took the same
   * settings, something around it has changed, and may change back. Default: as any other end.
   */
  readonly onRefused?: () => void
  /** Told of each child that ended unasked and is replaced. @param how a clause such as `exit code 3` */
  readonly onRestart: (how: string, pauseMs: number) => void
  readonly log: Logger
}

const REFUSED = 'exit code 2'

/** A child that lives for less than this counts as a failed start. */
const HEALTHY_MS = 10_000
const RESTART_FIRST_MS = 200
const RESTART_MAX_MS = 30_000

/**
 * Keeps a number of worker processes alive until the signal. A child that dies is replaced, after a pause that
 * grows while children die young, and its jobs go back to the queue at once. Resolves when all have ended.
 */
export async function supervise(options: SupervisorOptions): Promise<void> {
  await Promise.all(Array.from({ length: options.count }, () => keepOne(options)))
}

async function keepOne(options: SupervisorOptions): Promise<void> {
  const { signal, log, recover } = options
  let pauseMs = RESTART_FIRST_MS
  let isFirst = true
  while (!signal.aborted) {
    const startedAt = performance.now()
    const how = await lifeOfOne(options)
    if (options.signal.aborted) return
    if (how === REFUSED && isFirst && options.onRefused) {
      options.onRefused()
      return
    }
    isFirst = false
    const livedMs = performance.now() - startedAt
    await recover().catch((error: unknown) => log.warn({ err: error }, 'recovering crashed jobs failed'))
    pauseMs = livedMs > HEALTHY_MS ? RESTART_FIRST_MS : Math.min(RESTART_MAX_MS, pauseMs * 2)
    options.onRestart(how, pauseMs)
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

/** Starts one child and waits for its end; when the signal comes, asks it to end, and kills it after the grace period. */
async function lifeOfOne({ spawn, signal, graceMs }: SupervisorOptions): Promise<string> {
  const child = spawn()
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, name) => resolve(name ?? `exit code ${code ?? 0}`))
  })
  let killer: NodeJS.Timeout | undefined
  const stop = (): void => {
    child.kill('SIGTERM')
    killer = setTimeout(() => child.kill('SIGKILL'), graceMs)
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  try {
    return await ended
  } finally {
    clearTimeout(killer)
    signal.removeEventListener('abort', stop)
  }
}
