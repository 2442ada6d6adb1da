import { DataferryError } from '../errors.ts'
import type { Hash } from '../model/hash.ts'
import type { Checksum } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import { receiptFor, type Receipt, type Verified } from '../model/receipt.ts'
import type { OpenSource } from '../model/source.ts'
import type { Sink, Stage } from '../sinks/sink.ts'
import { hashFor, Incoming, roomFor, type Reading } from './incoming.ts'
import type { Received } from './meter.ts'
import { openStage } from './put-stage.ts'
import type { Accepted } from './verify.ts'

export interface Endpoints {
  readonly open: OpenSource
  readonly sink: Sink
}

export interface Run extends Reading {
  /** One writer per key: `<batch>-<n>`. */
  readonly key: string
}

/**
 * Transfers one item from its source to the sink: resumes from what was kept, hashes as bytes pass, verifies, commits.
 * Nothing shows at `item.path` unless it resolves. Rejects with the first `DataferryError` that ended
 * this attempt, or the signal's reason; what can be trusted is kept for the next attempt.
 */
export async function transfer(item: Item, { open, sink }: Endpoints, run: Run): Promise<Receipt> {
  const hash = hashFor(item, run, sink.needsHashState)
  try {
    await using stage = await openStage(sink, { key: run.key, item, signal: run.signal })
    // Only a checksum can prove that two halves belong together; without one, start over.
    const from = item.expect.checksum ? await stage.resume(hash, run.signal) : await stage.restart()
    const room = await roomFor(item, sink)
    const bytes = new Incoming(item, open, hash, from, { ...run, room, ahead: run.ahead ?? aheadOf(sink) })
    const judged = await restartOnMistrust(stage, run, () =>
      taken(bytes, stage, hash, run).catch((error: unknown) => {
        if (!bytes.mayBeEncoded(error)) throw error
        return decodedInstead(item, { open, sink }, run, stage, error)
      }),
    )
    const { checksum, digests, size, verified } = judged
    await stage.commit({ checksum, digests, size, verified })
    return receiptFor('done', item, { resumedFrom: from, ...judged })
  } finally {
    hash.close()
  }
}

/**
 * Bytes that may come ahead of their turn. A crash costs those, and in an object store also what it has not confirmed: together
 * no more than 64 MiB, which is the default of segments.
 */
function aheadOf({ needsHashState }: Sink): number | undefined {
  return needsHashState ? 32 << 20 : undefined
}

type Judged = Received & Accepted & Pick<Receipt, 'guestbook'> & { readonly resumedFrom?: 0 }

async function taken(bytes: Incoming, stage: Stage, hash: Hash, { signal }: Run): Promise<Judged> {
  await stage.append(bytes.passing(), hash, signal)
  return bytes.judged()
}

/**
 * Takes the decoded content instead of the bytes as sent, which are not the promised ones but are declared to be encoded:
 * a proxy may have done that. Objects that merely claim an encoding are right as sent.
 * @param asSent what was wrong with the bytes as sent
 */
async function decodedInstead(
  item: Item,
  { open, sink }: Endpoints,
  run: Run,
  stage: Stage,
  asSent: DataferryError,
): Promise<Judged> {
  const hash = hashFor(item, run, sink.needsHashState)
  try {
    await stage.restart()
    const room = await roomFor(item, sink)
    const bytes = new Incoming(item, open, hash, 0, { ...run, count: false, room }, 'decoded')
    return { ...(await taken(bytes, stage, hash, run)), resumedFrom: 0, note: 'it arrived compressed' }
  } catch (error) {
    if (!(error instanceof DataferryError) || error.remedy !== 'restart') throw error
    const message = `${asSent.message} They arrived with an unrequested Content-Encoding; decoded: ${error.message}`
    throw new DataferryError(error.code, message, { cause: error })
  } finally {
    hash.close()
  }
}

/** Runs a part of the transfer, dropping what was kept after errors that make it unusable. */
async function restartOnMistrust<T>(stage: Stage, { onProgress }: Run, part: () => Promise<T>): Promise<T> {
  try {
    return await part()
  } catch (error) {
    const isUseless = error instanceof DataferryError && (error.remedy === 'restart' || error.code === 'ENDLESS_BODY')
    if (isUseless) {
      await stage.restart()
      onProgress?.(0)
    }
    throw error
  }
}

/** A small file held in memory, and verified before any of it is written. */
export interface Whole {
  readonly chunks: readonly Uint8Array[]
  readonly size: number
  /** Of exactly these chunks: in the published algorithm, else SHA-256. */
  readonly checksum: Checksum
  /** Further digests of them. */
  readonly digests: readonly Checksum[]
  readonly verified: Verified
  readonly note?: string
  readonly guestbook?: Receipt['guestbook']
}

/** Commits a file whose bytes are in memory and verified. Rejects as the sink does. */
export async function commitWhole(
  item: Item,
  whole: Whole,
  sink: Sink,
  { key, signal }: { readonly key: string; readonly signal: AbortSignal },
): Promise<Receipt> {
  const { chunks, checksum, digests, verified } = whole
  await sink.put({ key, item, signal }, Buffer.concat(chunks), { checksum, digests, verified })
  return receiptFor('done', item, whole)
}
