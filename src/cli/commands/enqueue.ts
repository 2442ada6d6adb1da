import type { BegunBatch } from '../../plan/begin-batch.ts'
import type { Sink } from '../../sinks/sink.ts'
import { PLANS, type Command, type ExitCode } from '../command.ts'
import { openQuestionSlots } from '../open-question-slots.ts'
import { untilDurable } from '../../queue/durable.ts'
import { planBatch, printPlan } from '../planning.ts'
import { pasted } from '../pasted.ts'
import { openToWorkers } from '../shared-run.ts'
import { lazyRuntime } from '../runtime.ts'
import type { Sources } from '../sources.ts'
import { command as planCommand, PLANNING_FLAGS } from './plan.ts'
import { withPlanning } from '../with-planning.ts'

/** `dataferry enqueue`: plan, put on record, return; `dataferry work` does the rest. */
export const command: Command = {
  examples: [
    'dataferry enqueue manifest.csv --redis redis://queue.example.org --server https://demo.dataverse.org --to /srv/data',
  ],
  about: 'Workers may begin while planning goes on. `dataferry status` shows how far the batch is.',
  operands: planCommand.operands,
  settings: planCommand.settings,
  flags: PLANNING_FLAGS,
  stop: PLANS,
  run: async (context) => {
    await using lazy = lazyRuntime(context, 'producer')
    const enqueue = async (sink: Sink, begun: BegunBatch, sources: Sources): Promise<ExitCode> => {
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
      // An answer that a power cut could make untrue is given only where Redis cannot do better; see docs/docker.md.
      await untilDurable(runtime.client)
      out.line(`Enqueued as ${id}. Workers fetch it; this starts some here:`)
      out.line(`  ${pasted(config, 'work', [])}`)
      return 0
    }
    return await withPlanning(context, enqueue, lazy)
  },
}
