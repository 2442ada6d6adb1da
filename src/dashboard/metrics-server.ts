import { Hono } from 'hono'
import { allowedHostsOnly, safeHeaders } from './guard.ts'
import { listen, type Listening } from './listen.ts'
import { answerMetrics } from './metrics.ts'
import { observe, type ObserveDeps, type ObserveOptions } from './observe.ts'
import { reachOf } from './reach.ts'
import { refuse } from './refusal.ts'

const HOST = '127.0.0.1'

/** Answers `/metrics` and `/healthz` to this machine alone, for a process that has no dashboard. Rejects with `ARGUMENT_INVALID`. */
export async function openMetrics(
  deps: ObserveDeps,
  { port, ...options }: Omit<ObserveOptions, 'destinations'> & { readonly port: number },
): Promise<Listening> {
  const { observer, metrics, start } = observe(deps, { ...options, destinations: [] })
  const app = new Hono()
  app.notFound((context) => refuse(context, 404, 'NOT_FOUND', 'Here are only /metrics and /healthz.'))
  app.use(safeHeaders)
  app.get('/healthz', (context) => context.text('alive\n'))
  app.use(allowedHostsOnly(reachOf(HOST, [])))
  app.get('/metrics', (context) => answerMetrics(context, metrics))
  const listening = await listen(() => app, { host: HOST, port, exact: true })
  start()
  return {
    port: listening.port,
    async close() {
      await listening.close()
      await observer.stop()
    },
  }
}
