import { randomUUID } from 'node:crypto'
import { every } from '../async/every.ts'
import { DataferryError, type ErrorCode } from '../errors.ts'
import type { BatchOwner, Ledger } from '../ledger/ledger.ts'
import type { BatchId } from '../model/batch.ts'
import { livenessOf, ownProcess } from '../process/process-identity.ts'
import type { Logger } from '../log.ts'
import type { Runtime } from './runtime.ts'

const RENEW_MS = 5_000

/** A batch that this process alone works on. Disposing leaves it to the next process that runs its command. */
export interface Ownership extends AsyncDisposable {
  /** Aborts with `BATCH_OWNED` when another process has taken the batch, e.g. because this one was frozen. */
  readonly lost: AbortSignal
  /** Takes the batch again where Redis has forgotten its owner. Rejects with `BATCH_OWNED` if it has another one by now. */
  renew(): Promise<void>
}

/**
 * Makes this process the owner of a batch: at once when it has no owner or its owner is proven dead, or has not been heard from for a
 * minute. Rejects with `BATCH_OWNED` while another process works on it.
 */
export function own({ ledger }: Pick<Runtime, 'ledger'>, id: BatchId, log: Logger): Promise<Ownership> {
  return claim(ledger, id, log, (other) => owned(id, other))
}

/** Who may be the one owner of something. */
type Claims = Pick<Ledger, 'attach' | 'disown'>

/** @param refusal the error for what another process has; its code is that of `lost` as well */
export async function claim(
  claims: Claims,
  id: string,
  log: Logger,
  refusal: (other: BatchOwner) => DataferryError,
): Promise<Ownership> {
  const me: BatchOwner = { id: randomUUID(), ...(await ownProcess()) }
  const lost = new AbortController()
  const renew = async (instead?: string): Promise<void> => {
    const other = await claims.attach(id, me, instead)
    if (!other) return
    if (instead === undefined && (await livenessOf(other)) === 'dead') return renew(other.id)
    throw refusal(other)
  }
  await renew()
  const renewing = every(
    RENEW_MS,
    () => renew(),
    (error) => {
      if (error instanceof DataferryError && OWNED.includes(error.code)) lost.abort(error)
      else log.debug({ err: error }, 'the ownership could not be renewed')
    },
  )
  return {
    lost: lost.signal,
    renew: () => renew(),
    async [Symbol.asyncDispose]() {
      await renewing.stop()
      await claims.disown(id, me.id).catch(() => undefined)
    },
  }
}

const OWNED: readonly ErrorCode[] = ['BATCH_OWNED', 'MIRROR_BUSY']

function owned(id: BatchId, { host, pid }: BatchOwner): DataferryError {
  return new DataferryError('BATCH_OWNED', `Process ${pid} on ${host} is working on ${id}.`)
}
