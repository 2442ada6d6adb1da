import type { Command } from '../command.ts'
import { knownBatch } from '../control.ts'
import { own } from '../ownership.ts'
import { pasted } from '../pasted.ts'
import { shownUrl } from '../../model/shown-url.ts'
import { placeFor } from '../places.ts'
import { openRuntime } from '../runtime.ts'

/** What `dataferry forget` does. */
export const run: Command['run'] = async (context) => {
  const { out, args, config, log } = context
  await using runtime = await openRuntime(context, 'producer')
  const { ledger, queues } = runtime
  const { id, servers, destination, state } = await knownBatch(ledger, args[0] ?? '')
  // A command that is working on it would only make it known again.
  await using ownership = await own(runtime, id, log)
  ownership.lost.throwIfAborted()
  await ledger.forget(id)
  await queues.drop(id, servers)
  out.record({ event: 'forgotten', batch: id, destination })
  out.line(`${id} is forgotten. Its files and records stay at ${shownUrl(destination)}.`)
  if (state !== 'finished') out.line(`To continue it: ${pasted(config, 'resume', [placeFor(out, destination)])}`)
  return 0
}
