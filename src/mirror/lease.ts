import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { every } from '../async/every.ts'
import { pause } from '../async/pause.ts'
import { recordText } from '../batch/record.ts'
import type { DataferryError } from '../errors.ts'
import { parseJson } from '../json/parse-json.ts'
import { livenessOf, ownProcess, processIdentitySchema, type ProcessIdentity } from '../process/process-identity.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './order.ts'

/** `lease.json`: the process that works on something, for others that share its destination and no Redis. */
const leaseSchema = z.object({
  v: z.literal(1),
  id: z.string(),
  owner: processIdentitySchema,
  /** Counts up while the process lives. */
  beat: z.number().int(),
})
type LeaseRecord = Readonly<z.infer<typeof leaseSchema>>

/** That one process works on something, such as a mirror. Disposing leaves it to the next. */
export interface Lease extends AsyncDisposable {
  /** Aborts when another process has taken it, as this one had been silent for too long. */
  readonly lost: AbortSignal
}

interface LeaseOptions {
  readonly signal: AbortSignal
  /** The error for what another process has. */
  readonly refusal: (owner: ProcessIdentity) => DataferryError
  /** Told that a process, which may have ended where this one cannot look, is watched for a while. */
  readonly onWait: (owner: ProcessIdentity, ms: number) => void
  readonly times?: LeaseTimes
}

interface LeaseTimes {
  /** Between two beats. */
  readonly beatMs: number
  /** An owner without a beat for this long has ended. */
  readonly silentMs: number
}

const TIMES: LeaseTimes = { beatMs: 15_000, silentMs: 60_000 }

/**
 * Takes a lease. Rejects with `refusal` while another process has it.
 * @param name of its record
 */
export async function takeLease(
  records: Records,
  name: string,
  { signal, refusal, onWait, times = TIMES }: LeaseOptions,
): Promise<Lease> {
  const read = async (): Promise<LeaseRecord | undefined> => parsed(await records.read(name))
  const there = await records.read(name)
  const other = parsed(there)
  if (other) {
    const life = await livenessOf(other.owner)
    if (life === 'unknown') onWait(other.owner, times.silentMs)
    if (life === 'alive' || (life === 'unknown' && !(await isSilent(other, read, times, signal)))) {
      throw refusal(other.owner)
    }
  }
  let mine: LeaseRecord = { v: 1, id: randomUUID(), owner: await ownProcess(), beat: 0 }
  const refuseUnless = async (id: string | undefined): Promise<void> => {
    const now = await read()
    if (now && now.id !== id) throw refusal(now.owner)
  }
  // That of a process that has ended, or a damaged one, is nobody's, unless another process has taken it since it was judged.
  await refuseUnless(other?.id)
  if (there) await records.remove(name)
  await records.create(name, recordText(mine))
  await refuseUnless(mine.id)
  const lost = new AbortController()
  const beat = async (): Promise<void> => {
    const now = await read()
    if (now && now.id !== mine.id) lost.abort(refusal(now.owner))
    if (lost.signal.aborted) return
    mine = { ...mine, beat: mine.beat + 1 }
    await records.write(name, recordText(mine))
  }
  const beating = every(times.beatMs, beat, () => undefined)
  return {
    lost: lost.signal,
    async [Symbol.asyncDispose]() {
      await beating.stop()
      if ((await read().catch(() => undefined))?.id === mine.id) await records.remove(name).catch(() => undefined)
    },
  }
}

function parsed(bytes: Uint8Array | undefined): LeaseRecord | undefined {
  return leaseSchema.safeParse(bytes && parseJson(Buffer.from(bytes).toString('utf8'))).data
}

/** The lease of a mirror, whether its owner lives or not; undefined: nobody has it. */
export async function readLease(records: Records, mirror: string): Promise<LeaseRecord | undefined> {
  return parsed(await records.read(names.lease(mirror)))
}

/** Whether an owner shows no sign of life for so long. */
async function isSilent(
  owner: LeaseRecord,
  read: () => Promise<LeaseRecord | undefined>,
  { beatMs, silentMs }: LeaseTimes,
  signal: AbortSignal,
): Promise<boolean> {
  const until = performance.now() + silentMs
  while (performance.now() < until) {
    await pause(beatMs / 3, signal)
    const now = await read()
    if (!now) return true
    if (now.id !== owner.id || now.beat !== owner.beat) return false
  }
  return true
}
