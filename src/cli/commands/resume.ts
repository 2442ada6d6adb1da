import { isReported, listBatches, readPlanState } from '../../batch/folder.ts'
import type { OpenedBatch } from '../../batch/open-batch.ts'
import type { Sink } from '../../sinks/sink.ts'
import { runBatch } from '../batch-run.ts'
import type { Command, Context, ExitCode } from '../command.ts'
import { recover } from '../recover.ts'
import { openRuntime } from '../runtime.ts'
import { Sources } from '../sources.ts'
import { planBatch } from '../planning.ts'
import { formatCount } from '../format.ts'
import { shownUrl } from '../summary.ts'
import { command as runCommand } from './run.ts'
import { openDestination } from '../destination.ts'

/** `dataferry resume`: everything needed to go on is at the destination itself. */
export const command: Command = {
  examples: ['dataferry resume ./data'],
  about: 'Goes on with every unfinished batch of a destination, whatever became of Redis or of the manifest.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: runCommand.settings,
  flags: [{ flags: '--enqueue', help: 'only rebuild what Redis must know, and leave the fetching to workers' }],
  run: async (context) => {
    const { config, args, out } = context
    const sink = await openDestination(config, args[0])
    try {
      const unfinished = []
      for (const batch of await listBatches(sink.records)) {
        if (!(await isReported(sink.records, batch.id))) unfinished.push(batch)
      }
      if (unfinished.length === 0) {
        out.line(`${shownUrl(sink.url)} has no unfinished batch.`)
        return 0
      }
      let worst: ExitCode = 0
      for (const batch of unfinished) {
        out.say(`Going on with ${batch.id}.`)
        const plan = await readPlanState(sink.records, batch.id)
        if (context.has('enqueue')) {
          await enqueueAgain(context, sink, { batch, plan, resumed: true })
          continue
        }
        const code = await runBatch(context, sink, { batch, plan, resumed: true })
        if (code !== 0) worst = code
      }
      return worst
    } finally {
      await sink.close()
    }
  },
}

/** Rebuilds ledger and window, and ends planning where that was cut short. */
async function enqueueAgain(context: Context, sink: Sink, opened: OpenedBatch): Promise<void> {
  const { config, out, signal } = context
  const { batch } = opened
  const sources = new Sources(config, batch.servers)
  try {
    await using runtime = await openRuntime(context, 'producer')
    const learned = await recover(runtime, sink, opened)
    const state = await planBatch(sink, opened, {
      sources,
      signal,
      onCheckpoint: ({ items, totals, complete }) => runtime.ledger.setPlanned(batch.id, items, totals.size, complete),
    })
    out.line(
      `${batch.id}: ${formatCount(state.items)} files planned; Redis learned of ${formatCount(learned)} that had ended.`,
    )
  } finally {
    await sources.close()
  }
}
