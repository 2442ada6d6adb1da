import { readBatch } from '../batch/folder.ts'
import { removeHold, writeHold, type Hold } from '../batch/hold.ts'
import type { LoadedConfig } from '../config/config.ts'
import { DataferryError, messageOf } from '../errors.ts'
import type { LedgerEntry } from '../ledger/ledger.ts'
import { normalServer } from '../config/setting-values.ts'
import type { Context } from './command.ts'
import { idsMeant } from './batch-names.ts'
import { openDestination } from './destination.ts'
import { pasted } from './pasted.ts'
import { feed } from './recover.ts'
import type { Runtime } from './runtime.ts'

/** What a control command acts on: a batch, or one installation for all batches. */
export type Subject = { readonly batch: LedgerEntry } | { readonly server: string }

/** Reads BATCH or `--server URL` of a command line. Rejects when neither or both are there, or the batch is unknown. */
export async function subject({ args, text }: Context, { ledger }: Runtime): Promise<Subject> {
  const [id] = args
  const named = text('only-server')
  if ((id === undefined) === (named === undefined)) {
    throw new DataferryError('ARGUMENT_INVALID', 'Name a batch, or one server with --only-server.')
  }
  if (id !== undefined) return { batch: await knownBatch(ledger, id) }
  const server = normalServer(named ?? '')
  if (server === undefined)
    throw new DataferryError('ARGUMENT_INVALID', `${named ?? ''} is not the address of a server.`)
  return { server }
}

/**
 * Also records a person's decision beside the data, where it outlives Redis. Workers have heard of it already, so a
 * failure is only reported.
 * @param hold undefined: the batch goes on
 */
async function recordHold(
  { config, out }: Pick<Context, 'config' | 'out'>,
  { id, destination }: LedgerEntry,
  hold: Pick<Hold, 'state' | 'reason'> | undefined,
): Promise<void> {
  const why = await putHold(config, id, destination, hold).catch((error: unknown) => messageOf(error))
  if (why === undefined) return
  out.warn(`This is recorded in Redis alone, and is lost if Redis is. It could not be written beside the data: ${why}`)
}

/** @returns why it could not be, or undefined */
async function putHold(
  config: LoadedConfig,
  id: string,
  destination: string,
  hold: Pick<Hold, 'state' | 'reason'> | undefined,
): Promise<string | undefined> {
  const sink = await openDestination(config, destination)
  try {
    if (!(await readBatch(sink.records, id))) return `this machine sees no batch ${id} at ${sink.url}.`
    if (hold) await writeHold(sink.records, id, hold)
    else await removeHold(sink.records, id)
    return undefined
  } finally {
    await sink.close()
  }
}

const BY_HAND = 'by hand'

/** Pauses or cancels a batch for a person, which every worker hears at once, and records it beside the data. */
export async function holdBatch(
  context: Pick<Context, 'config' | 'out'>,
  { ledger }: Pick<Runtime, 'ledger'>,
  batch: LedgerEntry,
  state: Hold['state'],
): Promise<void> {
  refuseFinished(context, batch)
  await ledger.setState(batch.id, state, BY_HAND)
  await recordHold(context, batch, { state, reason: BY_HAND })
}

/** Lets a batch go on that was paused or cancelled. */
export async function continueBatch(
  context: Pick<Context, 'config' | 'out'>,
  runtime: Pick<Runtime, 'ledger' | 'queues'>,
  batch: LedgerEntry,
): Promise<void> {
  refuseFinished(context, batch)
  await runtime.ledger.setState(batch.id, 'open')
  await recordHold(context, batch, undefined)
  await feed(runtime, batch.id)
}

/** Pauses a server for all batches, or lets it go on. */
export function pauseServer({ servers }: Pick<Runtime, 'servers'>, server: string, paused: boolean): Promise<void> {
  return servers.set(server, { paused: paused ? BY_HAND : null })
}

/** Rejects when a batch has ended already: there is nothing to pause or continue. */
function refuseFinished({ config }: Pick<Context, 'config'>, { id, state }: LedgerEntry): void {
  if (state !== 'finished') return
  const advice = 'To retry what failed in it:'
  const command = pasted(config, 'retry', [id])
  throw new DataferryError('ARGUMENT_INVALID', `${id} has finished already.`, { advice, command })
}

/** The batch of this id, or the one whose id ends so. Rejects with `BATCH_NOT_FOUND`, naming what is there. */
export async function knownBatch(ledger: Pick<Runtime['ledger'], 'list'>, given: string): Promise<LedgerEntry> {
  const entries = await ledger.list()
  const all = entries.map(({ id }) => id)
  const meant = idsMeant(given, all)
  const found = entries.find(({ id }) => id === meant[0])
  if (found && meant.length === 1) return found
  const some = (ids: readonly string[]): string => ids.slice(-5).join(', ')
  const message =
    meant.length > 1
      ? `${given} could be ${some(meant)}: type more of its end.`
      : `This Redis knows no batch ${given}; it knows ${all.length === 0 ? 'none' : some(all)}.`
  throw new DataferryError('BATCH_NOT_FOUND', message)
}
