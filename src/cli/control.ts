import { DataferryError } from '../errors.ts'
import type { LedgerEntry } from '../ledger/ledger.ts'
import { normalServer } from '../setting-values.ts'
import type { Context, Operand } from './command.ts'
import type { Runtime } from './runtime.ts'

/** What a control command acts on: a batch, or one installation for all batches. */
export type Subject = { readonly batch: LedgerEntry } | { readonly server: string }

export const SUBJECT: readonly Operand[] = [{ name: 'batch', help: 'as `dataferry status` names it', optional: true }]

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

/** Rejects when a batch has ended already: there is nothing to hold or to go on with. */
export function refuseFinished({ id, state }: LedgerEntry): void {
  if (state !== 'finished') return
  throw new DataferryError('ARGUMENT_INVALID', `${id} has finished already; dataferry retry tries its failures again.`)
}

/** Rejects with `BATCH_NOT_FOUND`, naming what is there. */
export async function knownBatch(ledger: Runtime['ledger'], id: string): Promise<LedgerEntry> {
  const batch = await ledger.get(id)
  if (batch) return batch
  const known = (await ledger.list()).map((entry) => entry.id)
  const others = known.length === 0 ? 'it knows none' : `it knows ${known.slice(-5).join(', ')}`
  throw new DataferryError('BATCH_NOT_FOUND', `No batch ${id} is known to this Redis; ${others}.`)
}
