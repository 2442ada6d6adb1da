import type { Command } from '../command.ts'
import { holdBatch, pauseServer, subject } from '../control.ts'
import { openRuntime } from '../runtime.ts'

/** What `dataferry pause` does. */
export const run: Command['run'] = async (context) => {
  await using runtime = await openRuntime(context, 'producer')
  const what = await subject(context, runtime)
  if ('batch' in what) {
    await holdBatch(context, runtime, what.batch, 'paused')
    context.out.line(`Paused ${what.batch.id}.`)
  } else {
    await pauseServer(runtime, what.server, true)
    context.out.line(`Paused ${what.server} for all batches.`)
  }
  return 0
}
