import type { Listening } from '../../dashboard/listen.ts'
import { noticeText } from '../../model/notice.ts'
import { ScheduleFolder } from '../../schedule/schedule-folder.ts'
import { scheduledDestinations } from '../schedule/scheduled-destinations.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'
import type { Runtime } from '../runtime.ts'
import { readPort } from './read-port.ts'

/** Answers `/metrics` if the command line asks for it. Rejects with `ARGUMENT_INVALID`. */
export async function startMetrics(context: Context, runtime: Runtime): Promise<Listening | undefined> {
  const { config, out } = context
  const given = context.text('metrics-port')
  if (given === undefined) return undefined
  // Most workers have none, and need not load a server.
  const { openMetrics } = await import('../../dashboard/metrics-server.ts')
  const { prefix, jobs, stateDir } = config.settings
  const deps = {
    ...runtime,
    openSink: (url: string) => openDestination(config, url),
    trouble: () => runtime.notices.list().map(noticeText)[0],
    scheduled: () => scheduledDestinations(new ScheduleFolder(stateDir)),
  }
  const listening = await openMetrics(deps, { port: readPort('metrics-port', given), prefix, usualLimit: jobs })
  out.say(`Metrics are at http://localhost:${listening.port}/metrics.`)
  return listening
}
