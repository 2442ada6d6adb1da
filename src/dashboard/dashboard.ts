import { every } from '../async/every.ts'
import { BatchLogs } from '../ledger/batch-logs.ts'
import { hostname } from 'node:os'
import { dashboardApp } from './app.ts'
import { readAssets } from './assets.ts'
import type { BindOptions } from './bind.ts'
import { BatchRecords } from './batch-records.ts'
import { EventStreams } from './event-stream.ts'
import { FailureGroups } from './failure-groups.ts'
import { isLoopback, reachedAt, reachOf } from './reach.ts'
import { ItemSearch } from './item-search.ts'
import { Links } from './links.ts'
import { listen } from './listen.ts'
import { observe, type ObserveDeps } from './observe.ts'
import type { Observer } from './observer.ts'
import type { Operations } from './operations.ts'
import type { Role } from './roles.ts'
import { ownProcess } from '../process/process-identity.ts'
import { ScheduleFolder } from '../schedule/schedule-folder.ts'
import { scheduleViews } from './schedules.ts'
import { SignIn } from './sign-in.ts'

/** The interface is loopback, or there is a token. */
export interface DashboardOptions extends BindOptions {
  /** Addresses under which people reach it besides, e.g. through a proxy. */
  readonly origins: readonly string[]
  readonly tokens: Readonly<Partial<Record<Role, string>>>
  /** Where new batches may go: as people write it, and as a URL. */
  readonly destinations: readonly { readonly shown: string; readonly url: string }[]
  readonly servers: readonly string[]
  /** Streams per server without a limit of its own. */
  readonly usualLimit: number
  readonly prefix: string
  /** Where the schedules of this machine are. */
  readonly stateDir: string
  /** Folder of the built pages, where it is not beside the program. */
  readonly pages?: string
}

export interface DashboardDeps extends ObserveDeps {
  readonly operations: Operations
}

/** A dashboard that is open. */
export interface Dashboard {
  /** Where people reach it. */
  readonly url: string
  close(): Promise<void>
}

const ANNOUNCE_MS = 15_000

/** Opens the dashboard: pages, API, event streams, health and metrics. Rejects with `ARGUMENT_INVALID`. */
export async function openDashboard(deps: DashboardDeps, options: DashboardOptions): Promise<Dashboard> {
  const { host, port, exact, origins, tokens, prefix, usualLimit, destinations, servers } = options
  const { client, ledger } = deps
  const urls = destinations.map(({ url }) => url)
  const { observer, places, metrics, start } = observe(deps, { prefix, usualLimit, destinations: urls })
  const links = new Links(client, prefix)
  const schedules = new ScheduleFolder(options.stateDir)
  const stop = new AbortController()
  const held = async (batch: string): Promise<ReadonlySet<number>> => {
    const holds = (await observer.look()).workers.flatMap((worker) => worker.holds)
    return new Set(holds.filter((one) => one.batch === batch).map(({ n }) => n))
  }
  const shared = {
    ledger,
    observer,
    places,
    failures: new FailureGroups(ledger),
    search: new ItemSearch({ ledger, held }),
    records: new BatchRecords(deps.openSink, ledger),
    logs: new BatchLogs(client, prefix),
    streams: new EventStreams(stop.signal),
    operations: deps.operations,
    schedules: () => scheduleViews(schedules, new Date()),
    destinations: destinations.map(({ shown }) => shown),
    servers,
    reach: reachOf(host, origins),
    assets: await readAssets(options.pages),
    metrics,
    // A proxy in front makes everybody come from this machine.
    openMetrics: isLoopback(host) && origins.length === 0,
    missing: () => missingNow(observer),
  }
  const secure = origins.length > 0 && origins.every((origin) => origin.startsWith('https:'))
  const listening = await listen(
    (bound) => {
      const signIn = new SignIn({ tokens, redeem: links.redeem, cookie: `dataferry_${bound}`, secure })
      return dashboardApp({ ...shared, signIn })
    },
    { host, port, exact },
  )
  const url = origins[0] ?? `http://${reachedAt(host)}:${listening.port}`
  const place = { url, host: hostname(), pid: process.pid, process: await ownProcess() }
  const announce = (): Promise<void> => links.announce(place)
  const announcing = every(ANNOUNCE_MS, announce, () => undefined)
  await announce()
  start()
  return {
    url,
    async close() {
      stop.abort()
      await listening.close()
      await Promise.all([announcing.stop(), observer.stop()])
      await links.withdraw(place).catch(() => undefined)
    },
  }
}

/** What work waits for, if it does. */
async function missingNow(observer: Observer): Promise<readonly string[]> {
  try {
    const { destinations } = (await observer.look()).overview
    return destinations.some(({ problem }) => problem !== null) ? ['destination'] : []
  } catch {
    return ['Redis']
  }
}
