import { isReported, listBatches, readPlanState } from '../../batch/folder.ts'
import { DataferryError } from '../../errors.ts'
import { openSink } from '../../sinks/open-sink.ts'
import { runBatch } from '../batch-run.ts'
import type { Command, ExitCode } from '../command.ts'
import { shownUrl } from '../summary.ts'
import { command as runCommand } from './run.ts'

/** `dataferry resume`: everything needed to go on is at the destination itself. */
export const command: Command = {
  examples: ['dataferry resume ./data'],
  about: 'Goes on with every unfinished batch of a destination, whatever became of Redis or of the manifest.',
  operands: [{ name: 'destination', help: 'a folder or URL; default: the destination setting', optional: true }],
  settings: runCommand.settings,
  flags: [],
  run: async (context) => {
    const { config, args, out } = context
    const sink = await openSink(args[0] ?? config.settings.destination)
    try {
      const unfinished = []
      for (const batch of await listBatches(sink.records)) {
        if (!(await isReported(sink.records, batch.id))) unfinished.push(batch)
      }
      if (unfinished.length === 0) {
        throw new DataferryError('BATCH_NOT_FOUND', `${shownUrl(sink.url)} has no unfinished batch.`)
      }
      let worst: ExitCode = 0
      for (const batch of unfinished) {
        out.say(`Going on with ${batch.id}.`)
        const plan = await readPlanState(sink.records, batch.id)
        const code = await runBatch(context, sink, { batch, plan, resumed: true })
        if (code !== 0) worst = code
      }
      return worst
    } finally {
      await sink.close()
    }
  },
}
