import type { Command } from '../command.ts'
import { recordHold, refuseFinished, subject } from '../control.ts'
import { openRuntime } from '../runtime.ts'

const BY_HAND = 'by hand'

/** What `dataferry pause` does. */
export const run: Command['run'] = async (context) => {
  await using runtime = await openRuntime(context, 'producer')
  const what = await subject(context, runtime)
  if ('batch' in what) {
    refuseFinished(context, what.batch)
    await runtime.ledger.setState(what.batch.id, 'paused', BY_HAND)
    await recordHold(context, what.batch, { state: 'paused', reason: BY_HAND })
    context.out.line(`Paused ${what.batch.id}.`)
  } else {
    await runtime.servers.set(what.server, { paused: BY_HAND })
    context.out.line(`Paused ${what.server} for all batches.`)
  }
  return 0
}
