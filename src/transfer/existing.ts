import { DataferryError } from '../errors.ts'
import type { Existing } from '../model/existing.ts'
import { sameChecksum, type Checksum } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import { receiptFor, type Receipt, type Verified } from '../model/receipt.ts'
import type { Committed, Sink } from '../sinks/sink.ts'
import { createHash } from './hash.ts'
import { hashOf } from './meter.ts'

export interface ExistingRun {
  /** What an earlier batch recorded about the same item at the same path, for items without a published checksum. */
  readonly earlier: (item: Item) => Promise<{ readonly checksum: Checksum; readonly verified: Verified } | undefined>
  readonly key: string
  readonly policy: Existing
  readonly signal: AbortSignal
}

/**
 * Decides about a file that is already at an item's path.
 * @returns a receipt if it is kept, undefined if the item must be fetched (nothing is there, or it may be replaced)
 * Rejects with `SINK_EXISTS` when something else is there and the policy is `error`.
 */
export async function keepExisting(item: Item, sink: Sink, run: ExistingRun): Promise<Receipt | undefined> {
  const there = await sink.stat(item.path, run.key, run.signal)
  if (!there) return undefined
  // A commit of this very item whose receipt was lost in a crash: the bytes have been verified.
  if (there.proof?.key === run.key) return receiptFor('done', item, { ...there.proof, size: there.size })
  switch (run.policy) {
    case 'overwrite':
      return undefined
    case 'skip':
      return receiptFor('kept', item, { size: there.size, verified: 'nothing' })
    case 'refresh':
      return there.size === item.expect.size
        ? receiptFor('kept', item, { size: there.size, verified: 'size' })
        : undefined
    case 'overwrite-different':
      return identical(item, sink, there, run)
    case 'error': {
      const same = await identical(item, sink, there, run)
      if (same) return same
      throw new DataferryError('SINK_EXISTS', `${item.path} is already at the destination and ${reason(item)}.`)
    }
  }
}

function reason({ expect }: Item): string {
  return expect.checksum
    ? 'differs from the file on the server'
    : 'cannot be compared with the file on the server, which publishes no checksum for this form'
}

/** A receipt if the published checksum, or that of an earlier fetch, proves that the same bytes are there. */
async function identical(
  item: Item,
  sink: Sink,
  there: Committed,
  { earlier, signal }: ExistingRun,
): Promise<Receipt | undefined> {
  const { checksum, size: promised } = item.expect
  const { size } = there
  if (promised !== undefined && promised !== size) return undefined
  if (checksum) {
    const found = await checksumThere(item, sink, there, checksum, signal)
    if (sameChecksum(found, checksum)) return receiptFor('kept', item, { size, verified: 'checksum', checksum: found })
  }
  // No checksum is published, or one of another form: then the record of an earlier fetch decides.
  const known = await earlier(item)
  if (!known) return undefined
  const found = await checksumThere(item, sink, there, known.checksum, signal)
  if (!sameChecksum(found, known.checksum)) return undefined
  return receiptFor('kept', item, { size, verified: known.verified, checksum: found })
}

async function checksumThere(
  item: Item,
  sink: Sink,
  there: Committed,
  wanted: Checksum,
  signal: AbortSignal,
): Promise<Checksum> {
  if (there.proof?.checksum.algorithm === wanted.algorithm) return there.proof.checksum
  const hash = createHash({ algorithm: wanted.algorithm, size: there.size, saveable: false })
  try {
    return (await hashOf(await sink.read(item.path, signal), hash)).checksum
  } finally {
    hash.close()
  }
}
