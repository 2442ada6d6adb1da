import type { Command } from '../command.ts'
import { recordHold, refuseFinished, subject, SUBJECT } from '../control.ts'
import { DESTINATION_SETTINGS } from '../destination.ts'
import { feed } from '../recover.ts'
import { openRuntime } from '../runtime.ts'

/** `dataferry continue`: lifts a pause or a cancellation. */
export const command: Command = {
  examples: [
    'dataferry continue manifest-20261123-150742-1f0c',
    'dataferry continue --only-server https://demo.dataverse.org',
  ],
  operands: SUBJECT,
  settings: DESTINATION_SETTINGS,
  flags: [{ flags: '--only-server <url>', help: 'continue this server for all batches' }],
  run: async (context) => {
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
  },
}
