import type { Command } from '../command.ts'
import { recordHold, refuseFinished, subject, SUBJECT } from '../control.ts'
import { DESTINATION_SETTINGS } from '../destination.ts'
import { openRuntime } from '../runtime.ts'

const BY_HAND = 'by hand'

/** `dataferry pause`: on all machines within two seconds; files in flight are parked at their byte. */
export const command: Command = {
  examples: [
    'dataferry pause manifest-20261123-150742-1f0c',
    'dataferry pause --only-server https://demo.dataverse.org',
  ],
  about: 'Uses no attempt and loses no byte. `dataferry continue` lifts it.',
  operands: SUBJECT,
  settings: DESTINATION_SETTINGS,
  flags: [{ flags: '--only-server <url>', help: 'pause this server for all batches' }],
  run: async (context) => {
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
  },
}
