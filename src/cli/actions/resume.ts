import { isDestination, movedHere } from '../../batch/destination.ts'
import { endDraft, isShownElsewhere, readDrafts } from '../../batch/drafts.ts'
import { listBatches } from '../../batch/folder.ts'
import { isUnreadable } from '../../batch/record.ts'
import { isReported } from '../../batch/report.ts'
import { readHold } from '../../batch/hold.ts'
import type { BegunBatch } from '../../plan/begin-batch.ts'
import { openPlan } from '../../plan/open-plan.ts'
import { DataferryError } from '../../errors.ts'
import type { Sink } from '../../sinks/sink.ts'
import { runBatch } from '../batch-run.ts'
import { openToWorkers, tokenServers } from '../shared-run.ts'
import type { Command, Context, ExitCode } from '../command.ts'
import { learn, leaveToWorkers } from '../recover.ts'
import { lazyRuntime, openRuntime } from '../runtime.ts'
import { Sources } from '../sources.ts'
import { planAhead, planBatch } from '../planning.ts'
import { formatCount } from '../../model/format.ts'
import { pasted } from '../pasted.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { placeFor } from '../places.ts'
import { openDestination } from '../destination.ts'

/** What `dataferry resume` does. */
export const run: Command['run'] = async (context) => {
  const { config, args, out } = context
  const sink = await openDestination(config, args[0])
  try {
    if (!(await isDestination(sink.records))) {
      throw new DataferryError('NO_RECORDS', `There is nothing to continue at ${shownUrl(sink.url)}.`)
    }
    let worst: ExitCode = 0
    const unreadable = (error: DataferryError): void => {
      worst = 3
      out.error(error.message, error.advice)
    }
    const unfinished = []
    const drafts = await readDrafts(sink.records)
    for (const batch of await listBatches(sink.records, (_, error) => unreadable(error))) {
      if (isShownElsewhere(drafts.get(batch.id))) continue
      if (!(await isReported(sink.records, batch.id))) unfinished.push(batch)
    }
    if (unfinished.length === 0) out.line(`${shownUrl(sink.url)} has no unfinished batch.`)
    for (const batch of unfinished) {
      const plan = await openPlan(sink.records, batch).catch(unlessUnreadable)
      if (plan instanceof DataferryError) {
        unreadable(plan)
        continue
      }
      const begun = { batch: await movedHere(sink, batch), plan, resumed: true }
      await endDraft(sink.records, batch.id)
      const code = (await leaveHeld(context, sink, begun)) ?? (await goOn(context, sink, begun))
      if (code !== 0) worst = code
      if (context.signal.aborted) return 130
    }
    return worst
  } finally {
    await sink.close()
  }
}

/** The error as a value; throws everything else again. */
function unlessUnreadable(error: unknown): DataferryError {
  if (isUnreadable(error)) return error
  throw error
}

async function goOn(context: Context, sink: Sink, begun: BegunBatch): Promise<ExitCode> {
  context.out.say(`Continuing ${begun.batch.id}.`)
  if (!context.has('enqueue')) {
    await using runtime = lazyRuntime(context, 'worker')
    return await runBatch(context, sink, begun, runtime)
  }
  await enqueueAgain(context, sink, begun)
  return 0
}

/**
 * A batch that somebody paused or cancelled stays so, and Redis learns of it, so that it can be continued.
 * @returns undefined when nothing holds it
 */
async function leaveHeld(context: Context, sink: Sink, begun: BegunBatch): Promise<ExitCode | undefined> {
  const { id } = begun.batch
  if (!(await readHold(sink.records, id))) return undefined
  await using runtime = await openRuntime(context, 'producer')
  await learn(runtime, sink, begun)
  const entry = await runtime.ledger.get(id)
  // What Redis knows is newer: it was continued from a machine that does not see the destination.
  if (entry?.state === 'open' || entry?.state === 'waiting') return undefined
  if (context.has('enqueue')) await leaveToWorkers(runtime, id, tokenServers(context.config, begun.batch.servers))
  const isPaused = entry?.state === 'paused'
  context.out.record({ event: 'held', batch: id, state: entry?.state, reason: entry?.reason })
  const { config, out } = context
  out.paragraph(`${id} stays ${isPaused ? 'paused' : 'cancelled'} (${entry?.reason ?? ''}). To continue:`, 'warn')
  out.line(`  ${pasted(config, 'continue', [id])}`)
  if (!context.has('enqueue')) out.line(`  ${pasted(config, 'resume', [placeFor(out, sink.url)])}`)
  // A cancelled batch has ended on purpose; a paused one has not.
  return isPaused && !context.has('enqueue') ? 130 : 0
}

/** Rebuilds ledger and window, and finishes planning that was cut short. */
async function enqueueAgain(context: Context, sink: Sink, begun: BegunBatch): Promise<void> {
  const { out } = context
  const { batch } = begun
  const sources = new Sources(context, batch.servers)
  try {
    await using runtime = await openRuntime(context, 'producer')
    const ready = await planAhead(context, sink, begun, sources, runtime)
    const learned = await openToWorkers(context, runtime, sink, ready)
    const state = await planBatch(context, sink, ready, {
      sources,
      onCheckpoint: ({ items, totals, complete }) => runtime.ledger.setPlanned(batch.id, items, totals.size, complete),
    })
    out.line(
      `${batch.id}: ${formatCount(state.items)} files planned; Redis learned that ${formatCount(learned)} had ended.`,
    )
  } finally {
    await sources.close()
  }
}
