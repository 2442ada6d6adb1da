import type { Checksum } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import { receiptFor, type Receipt, type Verified } from '../model/receipt.ts'
import type { Sink } from '../sinks/sink.ts'
import { createHash } from './hash.ts'

/** A small file that is in memory as a whole, and is judged before any of it is written. */
export interface Whole {
  readonly chunks: readonly Uint8Array[]
  readonly size: number
  /** Of exactly these chunks: in the published algorithm, else SHA-256. */
  readonly checksum: Checksum
  readonly verified: Verified
  readonly note?: string
}

/** Commits a file whose bytes are in memory and verified. Rejects as the sink does. */
export async function commitWhole(
  item: Item,
  whole: Whole,
  sink: Sink,
  { key, signal }: { readonly key: string; readonly signal: AbortSignal },
): Promise<Receipt> {
  const { chunks, size, checksum, verified } = whole
  await using stage = await sink.stage({ key, item, signal })
  await stage.restart()
  // A file that is written in one go has no border at which a sink would ask for the state of its hash.
  const unused = createHash({ algorithm: checksum.algorithm, size: 0, saveable: false })
  await stage.append(inSteps(chunks), unused, signal)
  await stage.commit({ checksum, size, verified })
  return receiptFor('done', item, whole)
}

async function* inSteps(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield await Promise.resolve(chunk)
}
