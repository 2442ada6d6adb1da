import type { BegunBatch } from '../plan/begin-batch.ts'
import { resumeQueues } from '../queue/queues.ts'
import type { Sink } from '../sinks/sink.ts'
import { stayer } from './batch-access.ts'
import type { Context, ExitCode } from './command.ts'
import { followBatch } from './follow-batch.ts'
import { own } from './ownership.ts'
import { pasted } from './pasted.ts'
import { placeFor } from './places.ts'
import { planAhead, startPlanning } from './planning.ts'
import { feed, learn, release } from './recover.ts'
import type { LazyRuntime } from './runtime.ts'
import { runToEnd, type Followed } from './run-to-end.ts'
import type { Sources } from './sources.ts'
import { startWork } from './start-work.ts'
import { printSummary } from './summary.ts'

/**
 * Runs a batch to its end in this process: plans, feeds and works at the same time, shows the progress, and prints the
 * summary. The batch belongs to this command alone: no other process works on it. When asked to stop,
 * it first parks everything in flight at its byte.
 */
export function runBatch(
  context: Context,
  sink: Sink,
  begun: BegunBatch,
  lazy: LazyRuntime,
  summary = printSummary,
): Promise<ExitCode> {
  const { config, signal, log, out } = context
  const { id, servers } = begun.batch
  const work = async (sources: Sources): Promise<Followed> => {
    const runtime = await lazy.get()
    await learn(runtime, sink, begun)
    await using ownership = await own(runtime, id, log)
    const ready = await planAhead(context, sink, begun, sources, runtime)
    if (ready !== begun) await learn(runtime, sink, ready)
    await resumeQueues(runtime.queues.in(id), servers)
    await release(runtime, sink, id)
    await feed(runtime, id)
    const workers = await startWork(context, runtime, sources, [{ scope: id, servers }])
    const planning = startPlanning(context, sink, ready, sources, runtime, workers)
    const restore = async (): Promise<void> => {
      await learn(runtime, sink, begun)
      await ownership.renew()
      await feed(runtime, id)
    }
    const stays = stayer(context, sink, begun.batch)
    const view = { held: () => workers.running.held(), notices: () => runtime.notices.list(), stays }
    let followed: Followed
    try {
      const stop = AbortSignal.any([signal, planning.failed, ownership.lost, workers.gaveUp])
      followed = await followBatch(context, runtime, id, view, stop, restore)
    } finally {
      await planning.stop()
      await workers.close()
    }
    await runtime.queues.drop(id, servers)
    return followed
  }
  const stopped = (): void => {
    out.say('Parked. The same command continues where it stopped; so does:')
    out.command(pasted(config, 'resume', [placeFor(out, sink.url)]))
  }
  return runToEnd(context, sink, begun, work, stopped, summary)
}
