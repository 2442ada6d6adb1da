import { DataferryError } from '../errors.ts'
import type { Hash } from '../model/hash.ts'
import type { Item } from '../model/item.ts'
import { receiptFor, type Receipt } from '../model/receipt.ts'
import type { OpenSource } from '../model/source.ts'
import type { Sink } from '../sinks/sink.ts'
import { createHash } from './hash.ts'
import { Meter, type Received } from './meter.ts'
import {
  DEFAULT_RECONNECT,
  readFrom,
  type Counting,
  type ReadOptions,
  type ReconnectOptions,
} from './resuming-reader.ts'
import { judge, type Accepted } from './verify.ts'

export interface Endpoints {
  readonly open: OpenSource
  readonly sink: Sink
}

export interface Run {
  /** One writer per key: `<batch>-<n>`. */
  readonly key: string
  readonly signal: AbortSignal
  readonly count: Counting
  readonly reconnect?: ReconnectOptions
  /** Called with the bytes so far, those of earlier attempts included. */
  readonly onProgress?: (bytes: number) => void
}

/**
 * Transfers one item from its source to the sink: resumes from what was kept, hashes while bytes pass, verifies, commits.
 * Nothing shows at `item.path` unless it resolves. Rejects with the first `DataferryError` that ended
 * this attempt, or the signal's reason; what can be trusted is kept for the next attempt.
 */
export async function transfer(item: Item, { open, sink }: Endpoints, run: Run): Promise<Receipt> {
  const hash = hashFor(item, sink.needsHashState)
  try {
    await using stage = await sink.stage({ key: run.key, item, signal: run.signal })
    // Only a checksum can prove that two halves belong together; without one, begin again.
    const from = item.expect.checksum ? await stage.resume(hash, run.signal) : await stage.restart()
    const bytes = new Incoming(item, open, hash, from, run)
    const judged = await restartOnMistrust(stage, async () => {
      await stage.append(bytes.passing(), hash, run.signal)
      return bytes.judged()
    })
    const { checksum, size, verified } = judged
    await stage.commit({ checksum, size, verified })
    return receiptFor('done', item, { ...judged, resumedFrom: from })
  } finally {
    hash.close()
  }
}

/** The hash that an item is judged by; the caller closes it. */
export function hashFor({ expect }: Item, saveable: boolean): Hash {
  return createHash({ algorithm: expect.checksum?.algorithm ?? 'sha256', size: expect.size, saveable })
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

/** The bytes of one item on their way: read again where a connection breaks, counted, hashed, and judged at their end. */
export class Incoming {
  readonly #item: Item
  readonly #open: OpenSource
  readonly #from: number
  readonly #run: Omit<Run, 'key'>
  readonly #meter: Meter
  /** What the server announced, for items whose listing promises no size. */
  #servedSize: number | undefined

  /** @param hash has seen the `from` bytes that an earlier attempt kept */
  constructor(item: Item, open: OpenSource, hash: Hash, from: number, run: Omit<Run, 'key'>) {
    this.#item = item
    this.#from = from
    this.#run = run
    this.#meter = new Meter(hash, from, limitOf(item), run.onProgress)
    this.#open = async (ref, at, options) => {
      const body = await open(ref, at, options)
      if (!options.headerless) this.#servedSize ??= body.size
      return body
    }
  }

  /** The chunks, once; each is valid until the next one is asked for. Rejects as `readFrom`, and with `LONG_BODY`. */
  passing(): AsyncGenerator<Uint8Array, void, undefined> {
    const { signal, reconnect = DEFAULT_RECONNECT } = this.#run
    // What was kept came with a request that did not end. Where nothing was, an earlier one may have.
    const count = this.#from === 0 ? this.#run.count === true : this.#run.count && 'if-unfinished'
    const reading: ReadOptions = { signal, expectedSize: this.#item.expect.size, count, reconnect }
    return this.#meter.through(readFrom(this.#open, this.#item.ref, this.#from, reading))
  }

  /** What came, behind its last byte. Rejects as `judge`. */
  async judged(): Promise<Received & Accepted> {
    const received = await this.#meter.result()
    const served = { open: this.#open, size: this.#servedSize }
    return { ...received, ...(await judge(this.#item, received, served, this.#run.signal)) }
  }
}

/**
 * Without a checksum the size is the promise; with one, a listed size may be wrong, but not by that much. A size that only the
 * manifest gives is judged at the end.
 */
function limitOf({ expect }: Item): number | undefined {
  if (expect.size === undefined || expect.own?.includes('size')) return undefined
  return expect.checksum ? expect.size * 2 + (64 << 20) : expect.size
}
