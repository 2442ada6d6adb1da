import { DataferryError } from '../../errors.ts'
import { takeLease, type Lease } from '../../mirror/lease.ts'
import { names } from '../../mirror/order.ts'
import { readPending, unfinished } from '../../mirror/pending.ts'
import type { ProcessIdentity } from '../../process/process-identity.ts'
import type { WrongFiles } from '../../proof/repair/wrong-files.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { Context } from '../command.ts'

/** Mirrors that no other process runs meanwhile. */
interface HeldMirrors extends AsyncDisposable {
  /** Aborts when another process has taken one of them. */
  readonly lost: AbortSignal
}

/**
 * Takes the lease of every mirror of which files are wrong: a run moves them. Rejects with `MIRROR_BUSY`, also where an earlier run
 * of one has not ended.
 */
export async function holdMirrors(
  { out, signal }: Context,
  { records }: Sink,
  wrong: WrongFiles,
): Promise<HeldMirrors> {
  const mirrors = new Set<string>()
  for await (const { mirror } of wrong.all()) if (mirror !== undefined) mirrors.add(mirror)
  const leases: Lease[] = []
  const leave = async (): Promise<void> => {
    for (const lease of leases) await lease[Symbol.asyncDispose]()
  }
  try {
    for (const mirror of mirrors) {
      const refusal = ({ host, pid }: ProcessIdentity): DataferryError =>
        new DataferryError('MIRROR_BUSY', `Process ${pid} on ${host} is running mirror ${mirror}.`)
      const onWait = (): void => out.say(`Waiting to see whether mirror ${mirror} is still run …`)
      leases.push(await takeLease(records, names.lease(mirror), { signal, refusal, onWait }))
      const pending = await readPending(records, mirror)
      if (pending) throw unfinished(mirror, pending)
    }
  } catch (error) {
    await leave()
    throw error
  }
  return { lost: AbortSignal.any(leases.map(({ lost }) => lost)), [Symbol.asyncDispose]: leave }
}
