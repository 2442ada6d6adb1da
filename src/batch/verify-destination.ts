import { DataferryError } from '../errors.ts'
import type { Batch, BatchId } from '../model/batch.ts'
import { sameChecksum, type Checksum } from '../model/checksum.ts'
import { itemKey } from '../model/item-key.ts'
import type { Receipt } from '../model/receipt.ts'
import type { Sink } from '../sinks/sink.ts'
import { listBatches, readPlanState } from './folder.ts'
import { readHold } from './hold.ts'
import { allItems } from './items-file.ts'
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
  /** Planned, and never brought here; `why` is the code that it failed with, when it did. */
  | {
      readonly state: 'unfetched'
      readonly path: string
      readonly batch: BatchId
      readonly n: number
      readonly why: string | undefined
    }

/** The checksum of what is committed at a path; undefined: only its size is looked at. */
export type HashPath = (path: string, algorithm: Checksum['algorithm'], size: number) => Promise<Checksum | undefined>

/** What a path should hold: the newest receipt of any batch decides. */
interface Expected {
  readonly batch: BatchId
  readonly receipt: Receipt
}

/**
 * Compares every receipt of a destination with what `hash` finds there, names files that no receipt knows, and planned ones
 * that never came. Keeps one receipt a path in memory. Rejects with `NO_RECORDS` when there is nothing to compare with.
 */
export async function* verifyDestination(sink: Sink, hash: HashPath, signal: AbortSignal): AsyncGenerator<Finding> {
  const batches = await listBatches(sink.records)
  if (batches.length === 0) {
    throw new DataferryError('NO_RECORDS', `There is nothing to compare with: ${sink.url} has no records of dataferry.`)
  }
  const expected = await expectations(sink, batches)
  const arrived = new Set(expected.keys())
  for await (const { path, size } of sink.list(signal)) {
    signal.throwIfAborted()
    const known = expected.get(path)
    if (known === undefined) yield { state: 'extra', path, size }
    else yield await compare(path, size, known, hash)
    expected.delete(path)
  }
  for (const [path, known] of expected) {
    // A listing does not enter folders behind links, which fetching does where they stay inside.
    const there = await sink.stat(path, itemKey(known.batch, known.receipt.n), signal)
    if (there) yield await compare(path, there.size, known, hash)
    else yield { state: 'missing', path, batch: known.batch, n: known.receipt.n }
  }
  for (const { id } of batches) yield* unfetched(sink, id, arrived, signal)
}

/** Planned files of a batch that no batch has brought. One that somebody cancelled is not waited for any more. */
async function* unfetched(
  { records }: Sink,
  batch: BatchId,
  arrived: Set<string>,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  if ((await readHold(records, batch))?.state === 'cancelled') return
  const { items } = await readPlanState(records, batch)
  const codes = new Map<number, string>()
  for await (const { n, code } of new Outcomes(records, batch).failures()) codes.set(n, code)
  for await (const { n, path } of allItems(records, batch, items)) {
    signal.throwIfAborted()
    if (arrived.has(path)) continue
    arrived.add(path)
    yield { state: 'unfetched', path, batch, n, why: codes.get(n) }
  }
}

async function expectations({ records }: Sink, batches: readonly Batch[]): Promise<Map<string, Expected>> {
  const expected = new Map<string, Expected>()
  for (const { id } of batches) {
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
