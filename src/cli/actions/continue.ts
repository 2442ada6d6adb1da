import type { Command } from '../command.ts'
import { continueBatch, pauseServer, subject } from '../control.ts'
import { openRuntime } from '../runtime.ts'

/** What `dataferry continue` does. */
export const run: Command['run'] = async (context) => {
  await using runtime = await openRuntime(context, 'producer')
  const what = await subject(context, runtime)
  if ('batch' in what) {
    await continueBatch(context, runtime, what.batch)
    context.out.line(`Continuing ${what.batch.id}.`)
  } else {
    await pauseServer(runtime, what.server, false)
    context.out.line(`Continuing ${what.server}.`)
  }
  return 0
}
