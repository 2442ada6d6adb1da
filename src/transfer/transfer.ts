import { DataferryError } from '../errors.ts'
import type { Hash } from '../model/hash.ts'
import type { Item } from '../model/item.ts'
import type { Receipt } from '../model/receipt.ts'
import type { OpenSource } from '../model/source.ts'
import type { Sink } from '../sinks/sink.ts'
import { createHash } from './hash.ts'
import { hasLegacyChecksum } from './legacy-checksum.ts'
import { Meter, type Received } from './meter.ts'
import { DEFAULT_RECONNECT, readFrom, type ReconnectOptions } from './resuming-reader.ts'
import { verify, type Verdict } from './verify.ts'

export interface Endpoints {
  readonly open: OpenSource
  readonly sink: Sink
}

export interface Run {
  /** One writer per key: `<batch>-<n>`. */
  readonly key: string
  readonly signal: AbortSignal
  /** False when an earlier attempt's request was counted as a download already. */
  readonly count: boolean
  readonly reconnect?: ReconnectOptions
  /** Told the bytes so far, those of earlier attempts included. */
  readonly onProgress?: (bytes: number) => void
}

/**
 * Brings one item from its source to the sink: goes on from what was kept, hashes while bytes pass, verifies, commits.
 * Nothing shows at `item.path` unless it resolves. Rejects with the `DataferryError` of the first thing that went wrong
 * for good in this attempt, or the signal's reason; what can be trusted is kept for the next attempt.
 */
export async function transfer(item: Item, { open, sink }: Endpoints, run: Run): Promise<Receipt> {
  const hash = createHash({
    algorithm: item.expect.checksum?.algorithm ?? 'sha256',
    size: item.expect.size,
    saveable: sink.needsHashState,
  })
  try {
    await using stage = await sink.stage({ key: run.key, item, signal: run.signal })
    // Only a checksum can prove that two halves belong together; without one, begin again.
    const from = item.expect.checksum ? await stage.resume(hash, run.signal) : await stage.restart()
    const served = new ServedSize(open)
    const meter = new Meter(hash, from, limitOf(item), run.onProgress)
    const { received, verdict } = await restartOnMistrust(stage, async () => {
      await stage.append(meter.through(source(item, served, from, run)), hash, run.signal)
      const received = await meter.result()
      return { received, verdict: await judge(item, received, served, run.signal) }
    })
    await stage.commit({ checksum: received.checksum, size: received.size, verified: verdict.verified })
    return receiptFor(item, received, from, verdict)
  } finally {
    hash.close()
  }
}

function source(item: Item, { open }: ServedSize, from: number, run: Run): AsyncIterable<Uint8Array> {
  return readFrom(open, item.ref, from, {
    signal: run.signal,
    expectedSize: item.expect.size,
    count: run.count && from === 0,
    reconnect: run.reconnect ?? DEFAULT_RECONNECT,
  })
}

/** Without a checksum the size is the promise; with one, a listed size may be wrong, but not by that much. */
function limitOf({ expect }: Item): number | undefined {
  if (expect.size === undefined) return undefined
  return expect.checksum ? expect.size * 2 + (64 << 20) : expect.size
}

/** Runs a part of the transfer after whose `restart` errors nothing that was kept may be used again. */
async function restartOnMistrust<T>(stage: { restart(): Promise<0> }, part: () => Promise<T>): Promise<T> {
  try {
    return await part()
  } catch (error) {
    if (error instanceof DataferryError && error.remedy === 'restart') await stage.restart()
    throw error
  }
}

type Accepted = Exclude<Verdict, { readonly error: DataferryError }>

async function judge(item: Item, received: Received, served: ServedSize, signal: AbortSignal): Promise<Accepted> {
  const verdict = verify(item.expect, received, served.size)
  if (!('error' in verdict)) return verdict
  if (verdict.error.code === 'CHECKSUM_MISMATCH' && (await hasLegacyChecksum(item, served.open, signal))) {
    const verified = item.expect.size === received.size ? 'size' : 'nothing'
    return { verified, note: 'the published checksum is that of the archival form without its header line' }
  }
  throw verdict.error
}

/** Remembers the size that the server announced, for items whose listing promises none. */
class ServedSize {
  size: number | undefined
  readonly open: OpenSource

  constructor(open: OpenSource) {
    this.open = async (ref, from, options) => {
      const body = await open(ref, from, options)
      if (!options.headerless) this.size ??= body.size
      return body
    }
  }
}

/** The receipt of a file that was fetched, finished now. */
export function receiptFor(item: Item, received: Received, resumedFrom: number, { verified, note }: Accepted): Receipt {
  return {
    state: 'done',
    n: item.n,
    path: item.path,
    size: received.size,
    checksum: received.checksum,
    verified,
    resumedFrom,
    finishedAt: new Date().toISOString(),
    ...(note !== undefined && { note }),
  }
}

/** The checksum of bytes that are at the destination already. */
export async function hashOf(chunks: AsyncIterable<Uint8Array>, hash: Hash): Promise<Received> {
  const meter = new Meter(hash, 0, undefined)
  const passing = meter.through(chunks)
  while (!(await passing.next()).done);
  return meter.result()
}
