import { runBatch } from '../batch-run.ts'
import { runShared } from '../shared-run.ts'
import { PARKS, type Command } from '../command.ts'
import { plural } from '../terminal/format.ts'
import { takeIn } from '../intake.ts'
import { planBatch, printPlan } from '../planning.ts'
import { lazyRuntime } from '../runtime.ts'
import { Sources } from '../sources.ts'
import { command as planCommand, PLANNING_FLAGS } from './plan.ts'
import { openDestination } from '../destination.ts'

/** `dataferry run`: plans, fetches, waits and reports. */
export const command: Command = {
  examples: [
    'dataferry run manifest.csv --server https://demo.dataverse.org --to ./data',
    'dataferry run doi:10.5072/FK2/ABCDEF --server https://demo.dataverse.org',
    'cat ids.txt | dataferry run - --server https://demo.dataverse.org',
  ],
  about:
    'After any interruption, the same command continues where it stopped. The batch belongs to this command alone; with ' +
    '--share every worker of this Redis takes part, and Ctrl-C leaves it to them.',
  operands: planCommand.operands,
  settings: [
    ...planCommand.settings,
    'share',
    'jobs',
    'segments',
    'retries',
    'limitRate',
    'redis',
    'prefix',
    'stateDir',
    'logLevel',
  ],
  flags: [
    ...PLANNING_FLAGS,
    { flags: '-n, --dry-run', help: 'only plan: print the totals and fetch nothing' },
    { flags: '--complete', help: 'fetch files that the server leaves out of a ZIP individually, beside the archive' },
  ],
  stop: PARKS,
  run: async (context) => {
    const { config, out } = context
    const sink = await openDestination(config)
    try {
      const dryRun = context.has('dry-run')
      await using runtime = lazyRuntime(context, 'worker')
      const opened = await takeIn(context, sink, dryRun ? undefined : runtime)
      const { batch, resumed } = opened
      if (!dryRun) {
        out.say(
          resumed
            ? `Continuing ${batch.id}.`
            : `Batch ${batch.id}: ${plural(batch.manifest.entries, 'entry', 'entries')}.`,
        )
        const bring = config.settings.share ? runShared : runBatch
        return await bring(context, sink, opened, runtime)
      }
      const sources = new Sources(context)
      try {
        return await printPlan(out, sink, opened, await planBatch(context, sink, opened, { sources }))
      } finally {
        await sources.close()
      }
    } finally {
      await sink.close()
    }
  },
}
