import type { BatchStatus, Status } from '../src/status.ts'

/** How long nothing may move, for no known reason, before it is reported. */
const SILENT_MS = 10 * 60_000
/** How many files and batches are named. */
const SHOWN = 3

/**
 * Notices when nothing moves although work is open and nothing is known to hold it up, so that nobody waits
 * without a reason on the screen. It only reports: what to do is up to people.
 */
export class Watchdog {
  readonly #now: () => number
  #seen = ''
  #since: number
  /** How often it has been reported, and the last text. */
  #told: { readonly times: number; readonly text: string | undefined } = { times: 0, text: undefined }

  /** @param now milliseconds of a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#since = now()
  }

  /**
   * Compares the present state with the last one.
   * @param reasons what is known to hold up work
   * @returns what to report while nothing moves; undefined when there is nothing to report
   */
  look(status: Status, reasons: readonly string[]): string | undefined {
    const open = status.batches.filter(({ state }) => state === 'open')
    const seen = JSON.stringify([open.map(progressOf), status.workers.map(({ holds }) => holds)])
    if (seen !== this.#seen || open.length === 0 || reasons.length > 0 || isServerWaiting(status, open)) {
      this.#seen = seen
      this.#since = this.#now()
    }
    const times = Math.floor((this.#now() - this.#since) / SILENT_MS)
    if (times !== this.#told.times) this.#told = { times, text: told(times, status, open) }
    return this.#told.text
  }
}

function told(times: number, status: Status, open: readonly BatchStatus[]): string | undefined {
  if (times === 0) return undefined
  const minutes = (times * SILENT_MS) / 60_000
  return `Nothing has moved for ${minutes} minutes, and no reason is known. Waiting for ${waitingFor(status, open)}.`
}

function progressOf({ id, planned, planComplete, done, kept, failed }: BatchStatus): readonly unknown[] {
  return [id, planned, planComplete, done, kept, failed]
}

function isServerWaiting({ servers }: Status, open: readonly BatchStatus[]): boolean {
  const asked = new Set(open.flatMap((batch) => batch.servers))
  return servers.some(({ server, hold }) => asked.has(server) && hold !== undefined)
}

function waitingFor({ workers, servers }: Status, open: readonly BatchStatus[]): string {
  const held = workers.flatMap(({ host, pid, holds }) =>
    holds.map(({ path, bytes }) => `${path} (${bytes} bytes, process ${pid} on ${host})`),
  )
  const queued = servers.flatMap(({ server, waiting, delayed }) =>
    waiting + delayed > 0 ? [`${server} (${waiting} jobs queued, ${delayed} to be retried)`] : [],
  )
  return [...held, ...queued, ...open.map(lackOf)].slice(0, SHOWN).join('; ')
}

function lackOf({ id, planComplete, open }: BatchStatus): string {
  if (!planComplete) return `the plan of ${id}`
  return open > 0 ? `${open} files of ${id} that no worker has` : `the report of ${id}`
}
