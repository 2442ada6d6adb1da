import { messageOf } from '../errors.ts'
import { readLease } from '../mirror/lease.ts'
import { readOrder, scopeText } from '../mirror/order.ts'
import { listRuns, readRun, type RunReport } from '../mirror/report.ts'
import { shownUrl } from '../model/shown-url.ts'
import { livenessOf } from '../process/process-identity.ts'
import type { Records, Sink } from '../sinks/sink.ts'
import type { MirrorView } from './api/schemas.ts'

/** What the runs of a mirror say, up to one of them. */
interface Read {
  readonly upTo: string
  readonly last: RunReport | undefined
  readonly success: string | null
}

/** How mirrors stand. A run that has ended stays as it is, so each is read once, however many there are. */
export class MirrorHistory {
  readonly #read = new Map<string, Read>()
  /** Beats of leases whose owners are on other machines. */
  readonly #beats = new Map<string, string>()

  async view(sink: Sink, name: string): Promise<MirrorView> {
    const { records, url } = sink
    const destination = shownUrl(url)
    const view = { name, destination, server: '', scope: '', lastRun: null, lastSuccess: null, running: false }
    try {
      const order = await readOrder(records, name)
      if (!order) return { ...view, problem: 'its order is not there any more.' }
      const { last, success } = await this.#runs(records, `${url} ${name}`, name)
      return {
        ...view,
        server: order.server,
        scope: scopeText(order),
        lastRun: last ? lastRunOf(last) : null,
        lastSuccess: success,
        running: await this.#isRunning(records, `${url} ${name}`, name),
        problem: null,
      }
    } catch (error) {
      return { ...view, problem: messageOf(error) }
    }
  }

  /** The last run that has ended, and when one was last complete. */
  async #runs(records: Records, key: string, name: string): Promise<Read> {
    const before = this.#read.get(key)
    const runs = (await listRuns(records, name)).filter((run) => before === undefined || run > before.upTo)
    let read = before ?? { upTo: '', last: undefined, success: null }
    for (const run of runs) {
      const report = await readRun(records, name, run)
      // It goes on, or nobody will end it: it is looked at again.
      if (!report) continue
      const isRun = report.sweep !== 'none'
      read = {
        upTo: run,
        last: isRun ? report : read.last,
        success: isRun && report.complete ? report.finishedAt : read.success,
      }
    }
    this.#read.set(key, read)
    return read
  }

  /** Whether a process works on it: one that lives, or, where that cannot be seen, one whose lease goes on from look to look. */
  async #isRunning(records: Records, key: string, name: string): Promise<boolean> {
    const lease = await readLease(records, name)
    if (!lease) return false
    const liveness = await livenessOf(lease.owner)
    if (liveness !== 'unknown') return liveness === 'alive'
    const beat = `${lease.id} ${lease.beat}`
    const before = this.#beats.get(key)
    this.#beats.set(key, beat)
    return before !== beat
  }
}

function lastRunOf({ run, finishedAt, complete, datasets, files }: RunReport): MirrorView['lastRun'] {
  const { fetched, moved, superseded, failed, missing } = files
  const changes = {
    ...datasets,
    'files fetched': fetched,
    moved,
    'kept aside': superseded,
    'files failed': failed,
    missing,
  }
  const some = Object.entries(changes).filter(([, number]) => number > 0)
  return { run, finishedAt, complete, changes: Object.fromEntries(some) }
}
