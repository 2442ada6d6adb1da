import { isDestination } from '../../batch/destination.ts'
import type { Finding } from '../../batch/verify-destination.ts'
import { DATAFERRY_VERSION } from '../../dataverse/version.ts'
import { DataferryError } from '../../errors.ts'
import { takeLease, type Lease } from '../../mirror/lease.ts'
import { formatDuration } from '../../model/format.ts'
import type { ProcessIdentity } from '../../process/process-identity.ts'
import { ResultsKeeper } from '../../proof/verify/keep-results.ts'
import { names } from '../../proof/verify/results.ts'
import type { VerifyRun } from '../../proof/verify/summary.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'

/** Where the findings of a verification go. Disposing leaves what was found to the next verification. */
export interface Keeping extends AsyncDisposable {
  add(finding: Finding): Promise<void>
  /** Drops what is on record of a path that nothing knows any more. */
  drop(path: string): Promise<void>
  /** @returns whether the results are on record */
  end(run?: Omit<VerifyRun, 'by'>): Promise<boolean>
  /** Aborts when another process has taken over. */
  readonly lost: AbortSignal
}

/** Takes the lease of the results, as one process at a time keeps them. Rejects with `VERIFY_BUSY` and `SINK_…` codes. */
export async function keepResults(context: Context, sink: Sink): Promise<Keeping> {
  // Where there are no records, none is begun.
  if (!(await isDestination(sink.records))) return NOT_KEPT
  const { out, now, signal } = context
  const refusal = ({ host, pid }: ProcessIdentity): DataferryError =>
    new DataferryError('VERIFY_BUSY', `Process ${pid} on ${host} is verifying or repairing this destination.`)
  const onWait = ({ host, pid }: ProcessIdentity, ms: number): void =>
    out.say(`Process ${pid} on ${host} was verifying: waiting ${formatDuration(ms)} to see whether it still runs …`)
  const lease = await takeLease(sink.records, names.lease, { signal, refusal, onWait })
  try {
    return keeping(await ResultsKeeper.open(sink.records, { now, by: DATAFERRY_VERSION }), lease)
  } catch (error) {
    await lease[Symbol.asyncDispose]()
    throw error
  }
}

function keeping(keeper: ResultsKeeper, lease: Lease): Keeping {
  return {
    lost: lease.lost,
    add: (finding) => keeper.add(finding),
    drop: (path) => keeper.drop(path),
    async end(run) {
      await keeper.end(run && { ...run, by: DATAFERRY_VERSION })
      return true
    },
    async [Symbol.asyncDispose]() {
      try {
        if (!lease.lost.aborted) await keeper.close()
      } finally {
        await lease[Symbol.asyncDispose]()
      }
    },
  }
}

/**
 * As `keepResults`; where nothing can be kept, such as at a destination that can only be read, a warning says so and the
 * verification goes on without.
 */
export async function keepIfPossible(context: Context, sink: Sink): Promise<Keeping> {
  let kept: Keeping | undefined
  const without = (error: unknown): void => {
    if (!isNoPlace(error)) throw error
    kept = undefined
    context.out.warn(`The results of this verification are not kept: ${error.message}`)
  }
  const attempt = async (work: (keeping: Keeping) => Promise<unknown>): Promise<void> => {
    try {
      kept?.lost.throwIfAborted()
      if (kept) await work(kept)
    } catch (error) {
      without(error)
    }
  }
  try {
    kept = await keepResults(context, sink)
  } catch (error) {
    without(error)
    return NOT_KEPT
  }
  const opened = kept
  return {
    lost: NOT_KEPT.lost,
    add: (finding) => attempt((one) => one.add(finding)),
    drop: (path) => attempt((one) => one.drop(path)),
    async end(run) {
      await attempt((one) => one.end(run))
      return kept !== undefined
    },
    async [Symbol.asyncDispose]() {
      try {
        await opened[Symbol.asyncDispose]()
      } catch (error) {
        without(error)
      }
    },
  }
}

/** Keeps nothing. */
export const NOT_KEPT: Keeping = {
  lost: new AbortController().signal,
  add: () => Promise.resolve(),
  drop: () => Promise.resolve(),
  end: () => Promise.resolve(false),
  [Symbol.asyncDispose]: () => Promise.resolve(),
}

function isNoPlace(error: unknown): error is DataferryError {
  return error instanceof DataferryError && (error.code === 'VERIFY_BUSY' || error.code.startsWith('SINK_'))
}
