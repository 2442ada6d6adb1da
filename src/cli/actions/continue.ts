import type { Command } from '../command.ts'
import { recordHold, refuseFinished, subject } from '../control.ts'
import { feed } from '../recover.ts'
import { openRuntime } from '../runtime.ts'

/** What `dataferry continue` does. */
export const run: Command['run'] = async (context) => {
  await using runtime = await openRuntime(context, 'producer')
  const { ledger, servers } = runtime
  const what = await subject(context, runtime)
  if ('batch' in what) {
    refuseFinished(context, what.batch)
    await ledger.setState(what.batch.id, 'open')
    await recordHold(context, what.batch, undefined)
    await feed(runtime, what.batch.id)
    context.out.line(`Continuing ${what.batch.id}.`)
  } else {
    await servers.set(what.server, { paused: null })
    context.out.line(`Continuing ${what.server}.`)
  }
  return 0
}
