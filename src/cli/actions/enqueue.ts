import type { BegunBatch } from '../../plan/begin-batch.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Command, ExitCode } from '../command.ts'
import { withAccess } from '../batch-access.ts'
import { openQuestionSlots } from '../open-question-slots.ts'
import { untilDurable } from '../../queue/durable.ts'
import { planBatch, printPlan } from '../planning.ts'
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
    await openToWorkers(context, runtime, sink, begun)
    await using slots = openQuestionSlots(context, runtime)
    const state = await planBatch(context, sink, begun, {
      sources,
      takeSlot: slots.takeSlot,
      onCheckpoint: ({ items, totals, complete }) => runtime.ledger.setPlanned(id, items, totals.size, complete),
    })
    await printPlan(out, sink, begun, state)
    // Says "enqueued" only once Redis has it on disk, as far as that Redis can promise it; see docs/docker.md.
    await untilDurable(runtime.client)
    out.line(`Enqueued as ${id}. Workers will fetch it; to start some here:`)
    out.line(`  ${pasted(config, 'work', [])}`)
    return 0
  }
  return await withPlanning(context, enqueue, lazy)
}
