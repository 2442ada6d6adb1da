import type { BatchId } from '../model/batch.ts'
import { sameChecksum, type Checksum } from '../model/checksum.ts'
import type { Receipt } from '../model/receipt.ts'
import type { Sink } from '../sinks/sink.ts'
import { listBatches } from './folder.ts'
import { Outcomes } from './outcomes.ts'

/** What was found at one path of a destination. */
export type Finding =
  | { readonly state: 'ok'; readonly path: string; readonly size: number }
  /** Recorded without a checksum, so that only its size could be compared. */
  | { readonly state: 'size-only'; readonly path: string; readonly size: number }
  | { readonly state: 'missing'; readonly path: string; readonly batch: BatchId; readonly n: number }
  | {
      readonly state: 'changed'
      readonly path: string
      readonly batch: BatchId
      readonly n: number
      readonly expected: string
      readonly found: string
    }
  | { readonly state: 'extra'; readonly path: string; readonly size: number }

/** The checksum of what is committed at a path; undefined: only its size is looked at. */
export type HashPath = (path: string, algorithm: Checksum['algorithm'], size: number) => Promise<Checksum | undefined>

/** What a path should hold: the newest receipt of any batch decides. */
interface Expected {
  readonly batch: BatchId
  readonly receipt: Receipt
}

/**
 * Compares every receipt of a destination with what `hash` finds there, and names files that no receipt knows. Keeps one receipt a path in memory.
 */
export async function* verifyDestination(sink: Sink, hash: HashPath, signal: AbortSignal): AsyncGenerator<Finding> {
  const expected = await expectations(sink)
  for await (const { path, size } of sink.list(signal)) {
    signal.throwIfAborted()
    const known = expected.get(path)
    if (known === undefined) yield { state: 'extra', path, size }
    else yield await compare(path, size, known, hash)
    expected.delete(path)
  }
  for (const [path, { batch, receipt }] of expected) yield { state: 'missing', path, batch, n: receipt.n }
}

async function expectations({ records }: Sink): Promise<Map<string, Expected>> {
  const expected = new Map<string, Expected>()
  for (const { id } of await listBatches(records)) {
    for await (const receipt of new Outcomes(records, id).receipts()) {
      const known = expected.get(receipt.path)
      if (!known || isBetter(receipt, known.receipt)) expected.set(receipt.path, { batch: id, receipt })
    }
  }
  return expected
}

/** A later fetch replaces what was known of a path; something kept without a look at its bytes does not. */
function isBetter(receipt: Receipt, known: Receipt): boolean {
  return receipt.checksum !== undefined || known.checksum === undefined
}

async function compare(path: string, size: number, { batch, receipt }: Expected, hash: HashPath): Promise<Finding> {
  const { n, checksum } = receipt
  if (size !== receipt.size) {
    return { state: 'changed', path, batch, n, expected: `${receipt.size} bytes`, found: `${size} bytes` }
  }
  if (!checksum) return { state: 'size-only', path, size }
  const found = await hash(path, checksum.algorithm, size)
  if (!found) return { state: 'size-only', path, size }
  if (sameChecksum(found, checksum)) return { state: 'ok', path, size }
  const text = ({ algorithm, hex }: Checksum): string => `${algorithm} ${hex}`
  return { state: 'changed', path, batch, n, expected: text(checksum), found: text(found) }
}
