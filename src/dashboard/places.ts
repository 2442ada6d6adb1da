import pMap from 'p-map'
import { pause } from '../async/pause.ts'
import { messageOf } from '../errors.ts'
import { listMirrors, readOrder, scopeText } from '../mirror/order.ts'
import { readPending } from '../mirror/pending.ts'
import { listRuns, readRun, type RunReport } from '../mirror/report.ts'
import { shownUrl } from '../model/shown-url.ts'
import type { Sink } from '../sinks/sink.ts'
import type { DestinationView, MirrorView } from './api/schemas.ts'

/** Opens a destination by its URL; the caller closes it. */
export type OpenSink = (url: string) => Promise<Sink>

const FRESH_MS = 15_000
/** A disk that hangs, or a store that is away, holds nothing up. */
const PATIENCE_MS = 5_000
const AT_ONCE = 4
const AT_ONCE_MS = 300
/** Runs that are looked at for the last one that was complete. */
const RUNS_SEEN = 30

interface Look {
  readonly destination: DestinationView
  readonly mirrors: readonly MirrorView[]
}

/** What is at the destinations: free space and mirrors. Each is looked at now and then, and never twice at once. */
export class Places {
  readonly #open: OpenSink
  readonly #looks = new Map<
    string,
    { readonly at: number; readonly last: Look | undefined; readonly next: Promise<Look> }
  >()

  constructor(open: OpenSink) {
    this.#open = open
  }

  /** As far as they answer at once: what a slow one says is told by the next question. */
  async destinations(urls: Iterable<string>): Promise<readonly DestinationView[]> {
    const all = [...new Set(urls)].sort()
    const looks = await Promise.all(all.map((url) => Promise.race([this.#look(url), notYet(url)])))
    return looks.map(({ destination }) => destination)
  }

  async mirrors(urls: Iterable<string>): Promise<readonly MirrorView[]> {
    const all = [...new Set(urls)].sort()
    for (const known of this.#looks.keys()) if (!all.includes(known)) this.#looks.delete(known)
    const looks = await pMap(all, (url) => this.#look(url), { concurrency: AT_ONCE })
    return looks.flatMap(({ mirrors }) => mirrors)
  }

  /** Lets the next question look anew. */
  forget(): void {
    this.#looks.clear()
  }

  /** The first look is waited for; later ones are made while the last one is told. */
  async #look(url: string): Promise<Look> {
    const known = this.#looks.get(url)
    if (known && performance.now() - known.at < FRESH_MS) return known.last ?? known.next
    const next = withinReason(url, this.#lookNow(url))
    const entry = { at: performance.now(), last: known?.last, next }
    this.#looks.set(url, entry)
    void next.then((last) => {
      if (this.#looks.get(url) === entry) this.#looks.set(url, { ...entry, last })
    })
    return known?.last ?? next
  }

  async #lookNow(url: string): Promise<Look> {
    const sink = await this.#open(url)
    try {
      const free = (await sink.free()) ?? null
      const mirrors = await mirrorsAt(sink)
      return { destination: { destination: shownUrl(url), free, problem: null }, mirrors }
    } finally {
      await sink.close()
    }
  }
}

async function notYet(url: string): Promise<Look> {
  await pause(AT_ONCE_MS)
  return lookWithout(url, null)
}

function lookWithout(url: string, problem: string | null): Look {
  return { destination: { destination: shownUrl(url), free: null, problem }, mirrors: [] }
}

async function withinReason(url: string, look: Promise<Look>): Promise<Look> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Look>((resolve) => {
    timer = setTimeout(() => resolve(lookWithout(url, 'it does not answer.')), PATIENCE_MS).unref()
  })
  const seen = look.catch((error: unknown) => lookWithout(url, messageOf(error)))
  return Promise.race([seen, late]).finally(() => clearTimeout(timer))
}

async function mirrorsAt(sink: Sink): Promise<readonly MirrorView[]> {
  const names = await listMirrors(sink.records)
  return pMap(names, (name) => mirrorView(sink, name), { concurrency: AT_ONCE })
}

async function mirrorView(sink: Sink, name: string): Promise<MirrorView> {
  const { records, url } = sink
  const destination = shownUrl(url)
  const view = { name, destination, server: '', scope: '', lastRun: null, lastSuccess: null, running: false }
  try {
    const order = await readOrder(records, name)
    if (!order) return { ...view, problem: 'its order is not there any more.' }
    const runs = (await listRuns(records, name)).slice(-RUNS_SEEN).reverse()
    let last: RunReport | undefined
    let success: RunReport | undefined
    for (const run of runs) {
      const report = await readRun(records, name, run)
      if (report?.sweep === 'none') continue
      last ??= report
      if (report?.complete) success = report
      if (success) break
    }
    return {
      ...view,
      server: order.server,
      scope: scopeText(order),
      lastRun: last ? lastRunOf(last) : null,
      lastSuccess: success?.finishedAt ?? null,
      running: (await readPending(records, name)) !== undefined,
      problem: null,
    }
  } catch (error) {
    return { ...view, problem: messageOf(error) }
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
