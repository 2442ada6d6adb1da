import type { Listening } from '../../dashboard/listen.ts'
import type { Context } from '../command.ts'
import type { Runtime } from '../runtime.ts'
import { readPort } from './read-port.ts'

/** Answers `/metrics` if the command line asks for it. Rejects with `ARGUMENT_INVALID`. */
export async function startMetrics(context: Context, runtime: Runtime): Promise<Listening | undefined> {
  const { config, out } = context
  const given = context.text('metrics-port')
  if (given === undefined) return undefined
  // Most workers have none, and need not load a server.
  const [{ openMetrics }, { observeDeps }] = await Promise.all([
    import('../../dashboard/metrics-server.ts'),
    import('./observe-deps.ts'),
  ])
  const { prefix, jobs: usualLimit } = config.settings
  const options = { port: readPort('metrics-port', given), prefix, usualLimit }
  const listening = await openMetrics(observeDeps(context, runtime), options)
  out.say(`Metrics are at http://localhost:${listening.port}/metrics.`)
  return listening
}
