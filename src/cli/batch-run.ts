import type { BegunBatch } from '../plan/begin-batch.ts'
import { DataferryError, isAbort, isErrorCode } from '../errors.ts'
import type { Changes } from '../ledger/change.ts'
import type { LedgerEntry } from '../ledger/ledger.ts'
import type { Batch } from '../model/batch.ts'
import type { Sink } from '../sinks/sink.ts'
import type { RunningWorkers } from '../../workers/run.ts'
import type { Context, ExitCode } from './command.ts'
import type { Output } from './terminal/output.ts'
import { planBatch } from './planning.ts'
import { startProgress } from './terminal/progress.ts'
import { restore, takeUp } from './recover.ts'
import type { LazyRuntime, Runtime } from './runtime.ts'
import { Sources } from './sources.ts'
import { startWork } from './start-work.ts'
import { shortId } from './batch-names.ts'
import { pasted } from './pasted.ts'
import { placeFor, shownUrl } from './places.ts'
import { printSummary, type RunFacts } from './summary.ts'

const LOOK_MS = 200
const SHOWN_OTHERS = 3

/**
 * Brings a batch to its end in this process: plans, feeds and works at the same time, shows how far it is, and prints the
 * summary. When it is asked to stop, everything in flight is parked at its byte first.
 */
export async function runBatch(context: Context, sink: Sink, begun: BegunBatch, lazy: LazyRuntime): Promise<ExitCode> {
  const { config, signal } = context
  const { batch } = begun
  const sources = new Sources(context, batch.servers)
  let facts: RunFacts
  try {
    const runtime = await lazy.get()
    await takeUp(runtime, sink, begun)
    await tellOthers(context.out, runtime, batch)
    const ids = (await runtime.ledger.list()).map(({ id }) => id)
    const startedAt = performance.now()
    const before = (await runtime.ledger.summary(batch.id)).bytes
    const workers = await startWork(context, runtime, sources, batch.servers)
    const failed = new AbortController()
    const stop = AbortSignal.any([signal, failed.signal])
    const planning = planBatch(sink, begun, {
      sources,
      signal: stop,
      onCheckpoint: ({ items, totals, complete }) => runtime.ledger.setPlanned(batch.id, items, totals.size, complete),
    }).catch((error: unknown) => failed.abort(error))
    try {
      const label = shortId(batch.id, ids)
      const bytes = await untilEnded(context, runtime, workers, { id: batch.id, label }, stop, () =>
        restore(runtime, sink, begun),
      )
      facts = { ms: performance.now() - startedAt, bytes: bytes - before, ids, servers: batch.servers }
    } finally {
      await workers.close()
      await planning
    }
  } catch (error) {
    if (!isAbort(error) || !signal.aborted) throw error
    context.out.say('Parked. The same command goes on where it was; so does:')
    context.out.command(pasted(config, 'resume', [placeFor(context.out, sink.url)]))
    return 130
  } finally {
    await sources.close()
  }
  return printSummary(context, sink, batch.id, facts)
}

/**
 * One queue and one budget a server: whoever works for a server works on every batch of it. A command that brings home one
 * batch says so, since it will be seen to write elsewhere, too.
 */
async function tellOthers(out: Output, { ledger }: Runtime, { id, servers }: Batch): Promise<void> {
  const others = (await ledger.list()).filter(
    (other) => other.id !== id && other.state === 'open' && other.servers.some((server) => servers.includes(server)),
  )
  if (others.length === 0) return
  for (const other of others) out.record({ event: 'also', batch: other.id, destination: other.destination })
  const named = others.slice(0, SHOWN_OTHERS).map((other) => `${other.id} to ${shownUrl(other.destination)}`)
  const more = others.length > SHOWN_OTHERS ? ` and ${others.length - SHOWN_OTHERS} more` : ''
  out.say(
    `Unfinished batches of the same server go on meanwhile, too: ${named.join(', ')}${more}. ` +
      'To leave one alone: dataferry pause <batch>.',
  )
}

/**
 * Shows progress until the report is written. Rejects when the batch is paused or cancelled, and with the signal's reason.
 * @returns the bytes of the batch that are there then
 */
async function untilEnded(
  { out, log }: Context,
  { ledger, changes }: Runtime,
  { running, notices }: RunningWorkers,
  { id, label }: { readonly id: string; readonly label: string },
  signal: AbortSignal,
  restoreBatch: () => Promise<unknown>,
): Promise<number> {
  const progress = startProgress({ out, label, log })
  try {
    for (;;) {
      const entry = await ledger.get(id)
      if (!entry) {
        // Redis came back empty, or older than this batch: the destination knows everything.
        await restoreBatch()
        continue
      }
      const summary = await ledger.summary(id)
      const active = running.held().map(({ path, bytes, size }) => ({ path, bytes, size }))
      const bytes = active.reduce((sum, file) => sum + file.bytes, summary.bytes)
      progress.update({ batch: id, ...summary, bytes, active, notices: notices.list() })
      if (entry.state === 'finished') return bytes
      refuseHeld(entry)
      await nextLook(changes, id, signal)
    }
  } finally {
    progress.stop()
  }
}

/** Waits for the time of the next look, or until the state of the batch changes. Rejects with the signal's reason. */
async function nextLook(changes: Changes, id: string, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve) => {
    const look = (): void => {
      clearTimeout(timer)
      stop()
      signal.removeEventListener('abort', look)
      resolve()
    }
    const timer = setTimeout(look, LOOK_MS)
    const stop = changes.onChange((change) => {
      if (change.kind === 'batch' && change.id === id) look()
    })
    signal.addEventListener('abort', look)
  })
  signal.throwIfAborted()
}

function refuseHeld(entry: LedgerEntry): void {
  if (entry.state === 'paused') throw heldError(entry, 'paused')
  if (entry.state === 'cancelled') throw heldError(entry, 'cancelled')
}

/** Workers pause a batch with a code first when it needs a person: a token, credentials, a bucket. */
function heldError({ id, reason }: LedgerEntry, what: string): DataferryError {
  const [code = '', ...rest] = (reason ?? '').split(': ')
  if (isErrorCode(code)) return new DataferryError(code, `${id} was ${what}: ${rest.join(': ')}`)
  return new DataferryError('INTERRUPTED', `${id} was ${what}${reason === undefined ? '' : ` ${reason}`}.`)
}
