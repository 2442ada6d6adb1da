import type { BegunBatch } from '../../plan/begin-batch.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Command, ExitCode } from '../command.ts'
import { withAccess } from '../batch-access.ts'
import { tellTerms } from '../keep-terms.ts'
import { openQuestionSlots } from '../open-question-slots.ts'
import { untilDurable } from '../../queue/durable.ts'
import { checkAnswers } from '../guestbook-check.ts'
import { planAhead, planBatch, printPlan } from '../planning.ts'
import { pasted } from '../pasted.ts'
import { openToWorkers } from '../shared-run.ts'
import { lazyRuntime } from '../runtime.ts'
import type { Sources } from '../sources.ts'
import { withPlanning } from '../with-planning.ts'

/** What `dataferry enqueue` does. */
export const run: Command['run'] = async (context) => {
  await using lazy = lazyRuntime(context, 'producer')
  const enqueue = async (sink: Sink, taken: BegunBatch, sources: Sources): Promise<ExitCode> => {
    const begun = await withAccess(context, sink, taken)
    const { config, out } = context
    const { id } = begun.batch
    const runtime = await lazy.get()
    const ready = await planAhead(context, sink, begun, sources, runtime)
    await openToWorkers(context, runtime, sink, ready)
    await using slots = await openQuestionSlots(context, runtime)
    const state = await planBatch(context, sink, ready, {
      sources,
      takeSlot: slots.takeSlot,
      onCheckpoint: ({ items, totals, complete }) => runtime.ledger.setPlanned(id, items, totals.size, complete),
    })
    await printPlan(out, sink, ready, state)
    tellTerms(context, ready.batch, state)
    if (config.settings.guestbook === undefined) await checkAnswers(context, sink, ready.batch, state, { sources })
    // Says "enqueued" only once Redis has it on disk, as far as that Redis can promise it; see docs/docker.md.
    await untilDurable(runtime.client)
    out.record({ event: 'enqueued', batch: id, destination: sink.url })
    out.line(`Enqueued as ${id}. Workers will fetch it; to start some here:`)
    out.line(`  ${pasted(config, 'work', [])}`)
    return 0
  }
  return await withPlanning(context, enqueue, lazy)
}
