import { writeHold } from '../../batch/hold.ts'
import type { SharedBatch } from '../../ledger/schedules.ts'
import { BY_SCHEDULE } from '../../model/limit-holds.ts'
import type { Context } from '../command.ts'
import { openDestination } from '../destination.ts'
import type { Runtime } from '../runtime.ts'

/** Has every worker park what it has of a batch whose command has died, until the command is started again. */
export async function holdShared(
  { config }: Pick<Context, 'config'>,
  { ledger }: Pick<Runtime, 'ledger'>,
  { id, destination }: SharedBatch,
): Promise<void> {
  const entry = await ledger.get(id)
  // It has ended, or is on hold already.
  if (entry?.state !== 'open' && entry?.state !== 'waiting') return
  await ledger.setState(id, 'paused', BY_SCHEDULE)
  const sink = await openDestination(config, destination)
  try {
    await writeHold(sink.records, id, { state: 'paused', reason: BY_SCHEDULE })
  } finally {
    await sink.close()
  }
}
