import { DataferryError } from '../errors.ts'
import type { BatchId } from '../model/batch.ts'
import { sameChecksum, type Checksum } from '../model/checksum.ts'
import { itemKey } from '../model/item-key.ts'
import type { Receipt } from '../model/receipt.ts'
import type { Sink } from '../sinks/sink.ts'
import { listBatches, names, readPlanState } from './folder.ts'
import { readHold } from './hold.ts'
import { allItems, isDamaged } from './items-file.ts'
import { LineSet } from './line-set.ts'
import { Outcomes } from './outcomes.ts'
import { isUnreadable } from './record.ts'

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
  /** Records that cannot be read, so that nothing can be said about what they were to prove. */
  | { readonly state: 'unreadable'; readonly path: string; readonly message: string }

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
  const { records } = sink
  const damaged = new Map<BatchId, string>()
  const readable = await listBatches(records, (id, { message }) => damaged.set(id, message))
  const batches = [...readable.map(({ id }) => id), ...damaged.keys()]
  if (batches.length === 0) {
    throw new DataferryError('NO_RECORDS', `There is nothing to compare with: ${sink.url} has no records of dataferry.`)
  }
  for (const [id, message] of damaged) yield { state: 'unreadable', path: recordPath(names.batch(id)), message }
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
  for (const id of batches) yield* unfetched(sink, id, arrived, signal)
}

/** Planned files of a batch that no batch has brought. One that somebody cancelled is not waited for any more. */
async function* unfetched(
  { records }: Sink,
  batch: BatchId,
  arrived: Set<string>,
  signal: AbortSignal,
): AsyncGenerator<Finding> {
  if ((await readHold(records, batch))?.state === 'cancelled') return
  const plan = await readPlanState(records, batch).catch((error: unknown) => {
    if (isUnreadable(error)) return error
    throw error
  })
  if (plan instanceof DataferryError) {
    yield { state: 'unreadable', path: recordPath(names.plan(batch)), message: plan.message }
    return
  }
  const outcomes = new Outcomes(records, batch, plan.items)
  const codes = new Map<number, string>()
  for await (const { n, code } of outcomes.failures()) codes.set(n, code)
  let ended: LineSet | undefined
  for await (const item of allItems(records, batch, plan.items)) {
    signal.throwIfAborted()
    const { n, path } = item
    if (arrived.has(path)) continue
    // The path of a line that cannot be read is unknown, but not whether it ended well.
    if (isDamaged(item) && (ended ??= await received(outcomes)).has(n)) continue
    arrived.add(path)
    yield { state: 'unfetched', path, batch, n, why: codes.get(n) }
  }
}

async function received(outcomes: Outcomes): Promise<LineSet> {
  const lines = new LineSet()
  for await (const { n } of outcomes.receipts()) lines.add(n)
  return lines
}

function recordPath(name: string): string {
  return `.dataferry/${name}`
}

async function expectations({ records }: Sink, batches: readonly BatchId[]): Promise<Map<string, Expected>> {
  const expected = new Map<string, Expected>()
  for (const id of batches) {
    for await (const receipt of (await Outcomes.of(records, id)).receipts()) {
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
