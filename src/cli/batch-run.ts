import { setTimeout as sleep } from 'node:timers/promises'
import type { OpenedBatch } from '../batch/open-batch.ts'
import { reconcile } from '../batch/reconcile.ts'
import { DataferryError, isAbort } from '../errors.ts'
import type { LedgerEntry } from '../ledger/ledger.ts'
import { startFeeding } from '../queue/queues.ts'
import { memoryPressure } from '../queue/redis-settings.ts'
import { openSink } from '../sinks/open-sink.ts'
import type { Sink } from '../sinks/sink.ts'
import { startWorkers, type RunningWorkers } from '../../workers/run.ts'
import type { Context, ExitCode } from './command.ts'
import { planBatch } from './planning.ts'
import { startProgress } from './progress.ts'
import { openRuntime, type Runtime } from './runtime.ts'
import { Sources } from './sources.ts'
import { printSummary, shownUrl } from './summary.ts'

const LOOK_MS = 200

/**
 * Brings a batch to its end in this process: plans, feeds and works at the same time, shows how far it is, and prints the
 * summary. When it is asked to stop, everything in flight is parked at its byte first.
 */
export async function runBatch(context: Context, sink: Sink, opened: OpenedBatch): Promise<ExitCode> {
  const { config, signal } = context
  const { batch } = opened
  const sources = new Sources(config, batch.servers)
  try {
    await using runtime = await openRuntime(context, 'worker')
    await reconcile(runtime.ledger, sink.records, batch, opened.plan)
    await runtime.ledger.setState(batch.id, 'open')
    for (const server of batch.servers) await startFeeding(runtime.queues, batch.id, server)
    const workers = await startWork(context, runtime, sources, batch.servers)
    const failed = new AbortController()
    const stop = AbortSignal.any([signal, failed.signal])
    const planning = planBatch(sink, opened, {
      sources,
      signal: stop,
      onCheckpoint: ({ items, totals, complete }) => runtime.ledger.setPlanned(batch.id, items, totals.size, complete),
    }).catch((error: unknown) => failed.abort(error))
    try {
      await untilEnded(context, runtime, workers, batch.id, stop)
    } finally {
      await workers.close()
      await planning
    }
  } catch (error) {
    if (isAbort(error))
      context.out.say(`Parked. To go on: run the same command again, or dataferry resume ${shownUrl(sink.url)}`)
    throw error
  } finally {
    await sources.close()
  }
  return printSummary(context.out, sink, batch.id)
}

function startWork(
  { config, log }: Context,
  runtime: Runtime,
  sources: Sources,
  servers: readonly string[],
): Promise<RunningWorkers> {
  const { prefix, jobs, retries, throttleFirstMs, throttleMaxMs, retryFirstMs, retryMaxMs } = config.settings
  return startWorkers(
    {
      ...runtime,
      openSink: (url) => openSink(url),
      openSource: (server) => sources.source(server),
      memoryPressure: () => memoryPressure(runtime.client),
      log,
    },
    {
      prefix,
      servers,
      jobs,
      attempts: retries,
      throttle: { firstMs: throttleFirstMs, maxMs: throttleMaxMs },
      retry: { firstMs: retryFirstMs, maxMs: retryMaxMs },
    },
  )
}

/** Shows progress until the report is written. Rejects when the batch is paused or cancelled, and with the signal's reason. */
async function untilEnded(
  { out, log }: Context,
  { ledger }: Runtime,
  { running, notices }: RunningWorkers,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const progress = startProgress({ out, log })
  try {
    for (;;) {
      const [entry, summary] = await Promise.all([ledger.get(id), ledger.summary(id)])
      const active = running.held().map(({ path, bytes, size }) => ({ path, bytes, size }))
      const bytes = active.reduce((sum, file) => sum + file.bytes, summary.bytes)
      progress.update({ batch: id, ...summary, bytes, active, notices: notices.list() })
      if (entry?.state === 'finished') return
      refuseHeld(entry)
      await sleep(LOOK_MS, undefined, { signal }).catch((error: unknown) => {
        throw signal.aborted ? signal.reason : error
      })
    }
  } finally {
    progress.stop()
  }
}

function refuseHeld(entry: LedgerEntry | undefined): void {
  if (entry?.state === 'paused') throw heldError(entry, 'paused')
  if (entry?.state === 'cancelled') throw heldError(entry, 'cancelled')
}

function heldError({ id, reason }: LedgerEntry, what: string): DataferryError {
  if (reason?.startsWith('TOKEN_REJECTED') === true) return new DataferryError('TOKEN_REJECTED', reason)
  return new DataferryError('INTERRUPTED', `${id} was ${what}${reason === undefined ? '' : `: ${reason}`}.`)
}
