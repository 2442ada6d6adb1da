import type { Command } from '../command.ts'
import { knownBatch, recordHold, refuseFinished } from '../control.ts'
import { openRuntime } from '../runtime.ts'

/** What `dataferry cancel` does. */
export const run: Command['run'] = async (context) => {
  await using runtime = await openRuntime(context, 'producer')
  const batch = await knownBatch(runtime.ledger, context.args[0] ?? '')
  refuseFinished(context, batch)
  const { id } = batch
  const hold = { state: 'cancelled', reason: 'by hand' } as const
  await runtime.ledger.setState(id, hold.state, hold.reason)
  await recordHold(context, batch, hold)
  context.out.line(`Cancelled ${id}; files already fetched stay.`)
  return 0
}
