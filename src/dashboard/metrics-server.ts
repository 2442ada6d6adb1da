import { Hono } from 'hono'
import { Metrics } from '../ledger/metrics.ts'
import { Slots } from '../ledger/slots.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import type { StatusSources } from '../status.ts'
import { allowedHostsOnly, reachOf, safeHeaders } from './guard.ts'
import { listen, type Listening } from './listen.ts'
import { countHolds, metricsText } from './metrics.ts'
import { Observer } from './observer.ts'
import { Places, type OpenSink } from './places.ts'
import { refuse, refuseFor } from './refusal.ts'

export interface MetricsDeps extends StatusSources {
  readonly client: RedisClient
  readonly openSink: OpenSink
  /** Why Redis is waited for, if it is. */
  readonly trouble: () => string | undefined
  /** URLs of the destinations of scheduled commands. */
  readonly scheduled: () => Promise<readonly string[]>
}

const HOST = '127.0.0.1'

/** Answers `/metrics` and `/healthz` to this machine alone, for a process that has no dashboard. Rejects with `ARGUMENT_INVALID`. */
export async function openMetrics(
  deps: MetricsDeps,
  { port, prefix, usualLimit }: { readonly port: number; readonly prefix: string; readonly usualLimit: number },
): Promise<Listening> {
  const places = new Places(deps.openSink)
  const slots = new Slots(deps.client, { usualLimit, prefix })
  const observer = new Observer({ ...deps, slots, places, usualLimit, destinations: [] })
  const metrics = new Metrics(deps.client, prefix)
  const mirrors = async () => places.mirrors(await observer.destinationUrls())
  const app = new Hono()
  app.notFound((context) => refuse(context, 404, 'NOT_FOUND', 'Here are only /metrics and /healthz.'))
  app.use(safeHeaders)
  app.get('/healthz', (context) => context.text('alive\n'))
  app.use(allowedHostsOnly(reachOf(HOST, [])))
  app.get('/metrics', async (context) => {
    try {
      const { type, text } = await metricsText({ metrics, observer, mirrors })
      return context.body(text, 200, { 'Content-Type': type })
    } catch (error) {
      return refuseFor(context, error)
    }
  })
  const listening = await listen(() => app, { host: HOST, port, exact: true })
  observer.start((seen) => countHolds(metrics, seen))
  return {
    port: listening.port,
    async close() {
      await listening.close()
      await observer.stop()
    },
  }
}
