import type { Command } from '../command.ts'
import { holdBatch, knownBatch } from '../control.ts'
import { openRuntime } from '../runtime.ts'

/** What `dataferry cancel` does. */
export const run: Command['run'] = async (context) => {
  await using runtime = await openRuntime(context, 'producer')
  const batch = await knownBatch(runtime.ledger, context.args[0] ?? '')
  await holdBatch(context, runtime, batch, 'cancelled')
  context.out.line(`Cancelled ${batch.id}; files already fetched stay.`)
  return 0
}
