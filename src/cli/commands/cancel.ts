import type { Command } from '../command.ts'
import { knownBatch, recordHold, refuseFinished } from '../control.ts'
import { DESTINATION_SETTINGS } from '../destination.ts'
import { openRuntime } from '../runtime.ts'

/** `dataferry cancel`: fetches nothing more of a batch. */
export const command: Command = {
  examples: ['dataferry cancel manifest-20261123-150742-1f0c'],
  about: 'Files already fetched stay. `dataferry continue` or the same `dataferry run` takes it up again.',
  operands: [{ name: 'batch', help: 'its id as `dataferry status` shows it, or the end of it' }],
  settings: DESTINATION_SETTINGS,
  flags: [],
  run: async (context) => {
    await using runtime = await openRuntime(context, 'producer')
    const batch = await knownBatch(runtime.ledger, context.args[0] ?? '')
    refuseFinished(context, batch)
    const { id } = batch
    const hold = { state: 'cancelled', reason: 'by hand' } as const
    await runtime.ledger.setState(id, hold.state, hold.reason)
    await recordHold(context, batch, hold)
    context.out.line(`Cancelled ${id}; files already fetched stay.`)
    return 0
  },
}
