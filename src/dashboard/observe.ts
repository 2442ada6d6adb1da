import { Metrics } from '../ledger/metrics.ts'
import { MirrorRuns } from '../ledger/mirror-runs.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import { Slots } from '../ledger/slots.ts'
import type { StatusSources } from '../status.ts'
import { countHolds, metricsText, type MetricsText } from './metrics.ts'
import { Observer } from './observer.ts'
import { Places, type OpenSink } from './places.ts'

export interface ObserveDeps extends StatusSources {
  readonly client: RedisClient
  readonly openSink: OpenSink
  /** Why Redis is waited for, if it is. */
  readonly trouble: () => string | undefined
  /** URLs of the destinations of scheduled commands. */
  readonly scheduled: () => Promise<readonly string[]>
}

export interface ObserveOptions {
  readonly prefix: string
  /** Streams per server without a limit of its own. */
  readonly usualLimit: number
  /** URLs of destinations that are shown whether or not a batch goes there. */
  readonly destinations: readonly string[]
}

/** What looks at one Redis and its destinations, and what it tells Prometheus. */
export interface Observed {
  readonly observer: Observer
  readonly places: Places
  readonly metrics: () => Promise<MetricsText>
  /** Begins to look now and then; `observer.stop` ends it. */
  readonly start: () => void
}

/** Puts together what the dashboard and the metrics server look through. */
export function observe(deps: ObserveDeps, { prefix, usualLimit, destinations }: ObserveOptions): Observed {
  const places = new Places(deps.openSink)
  const slots = new Slots(deps.client, { usualLimit, prefix })
  const runs = new MirrorRuns(deps.client, prefix)
  const observer = new Observer({ ...deps, slots, runs, places, usualLimit, destinations })
  const metrics = new Metrics(deps.client, prefix)
  const mirrors = async () => places.mirrors(await observer.destinationUrls())
  return {
    observer,
    places,
    metrics: () => metricsText({ metrics, observer, mirrors }),
    start: () => observer.start((seen) => countHolds(metrics, seen)),
  }
}
