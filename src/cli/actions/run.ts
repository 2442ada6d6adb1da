import { withAccess } from '../batch-access.ts'
import { runBatch } from '../batch-run.ts'
import { isShared } from '../is-shared.ts'
import { runShared } from '../shared-run.ts'
import type { Command } from '../command.ts'
import { plural } from '../../model/format.ts'
import { takeIn } from '../intake.ts'
import { checkAnswers } from '../guestbook-check.ts'
import { tellTerms } from '../keep-terms.ts'
import { planBatch, printPlan } from '../planning.ts'
import { lazyRuntime } from '../runtime.ts'
import { Sources } from '../sources.ts'
import { openDestination } from '../destination.ts'

/** What `dataferry run` does. */
export const run: Command['run'] = async (context) => {
  const { config, out } = context
  const bring = isShared(config) ? runShared : runBatch
  const sink = await openDestination(config)
  try {
    const dryRun = context.has('dry-run')
    await using runtime = lazyRuntime(context, 'worker')
    const taken = await takeIn(context, sink, dryRun ? undefined : runtime)
    const opened = dryRun ? taken : await withAccess(context, sink, taken)
    const { batch, resumed } = opened
    if (!dryRun) {
      out.say(
        resumed
          ? `Continuing ${batch.id}.`
          : `Batch ${batch.id}: ${plural(batch.manifest.entries, 'entry', 'entries')}.`,
      )
      return await bring(context, sink, opened, runtime)
    }
    const sources = new Sources(context)
    try {
      const state = await planBatch(context, sink, opened, { sources })
      const code = await printPlan(out, sink, opened, state)
      tellTerms(context, batch, state)
      await checkAnswers(context, sink, batch, state, { sources })
      return code
    } finally {
      await sources.close()
    }
  } finally {
    await sink.close()
  }
}
