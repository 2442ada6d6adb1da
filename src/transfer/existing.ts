import { DataferryError } from '../errors.ts'
import type { Existing } from '../model/existing.ts'
import { sameChecksum, type Algorithm, type Checksum } from '../model/checksum.ts'
import type { Item } from '../model/item.ts'
import { checksumsOf, receiptFor, type Receipt, type Verified } from '../model/receipt.ts'
import type { Committed, Sink } from '../sinks/sink.ts'
import { createHash } from './hash.ts'
import { hashOf, type Received } from './meter.ts'

export interface ExistingRun {
  /** What an earlier batch recorded about the same item at the same path, for items without a published checksum. */
  readonly earlier: (item: Item) => Promise<{ readonly checksum: Checksum; readonly verified: Verified } | undefined>
  readonly key: string
  /** What a receipt is to hold besides the checksum, where the bytes are looked at. Default nothing. */
  readonly digests?: readonly Algorithm[] | undefined
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
  const { size, proof } = there
  // A commit of this very item whose receipt was lost in a crash: the bytes have been verified.
  if (proof?.key === run.key) {
    const found = await digestsThere(item, sink, there, proof.checksum.algorithm, run)
    if (sameChecksum(found.checksum, proof.checksum)) return receiptFor('done', item, { ...proof, ...found, size })
  }
  switch (run.policy) {
    case 'overwrite':
      return undefined
    case 'skip':
      return receiptFor('kept', item, { size, verified: 'nothing' })
    case 'refresh':
      return size === item.expect.size ? receiptFor('kept', item, { size, verified: 'size' }) : undefined
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
async function identical(item: Item, sink: Sink, there: Committed, run: ExistingRun): Promise<Receipt | undefined> {
  const { checksum, size: promised } = item.expect
  const { size } = there
  if (promised !== undefined && promised !== size) return undefined
  if (checksum) {
    const found = await digestsThere(item, sink, there, checksum.algorithm, run)
    if (sameChecksum(found.checksum, checksum))
      return receiptFor('kept', item, { size, verified: 'checksum', ...found })
  }
  // No checksum is published, or one of another form: then the record of an earlier fetch decides.
  const known = await run.earlier(item)
  if (!known) return undefined
  const found = await digestsThere(item, sink, there, known.checksum.algorithm, run)
  if (!sameChecksum(found.checksum, known.checksum)) return undefined
  return receiptFor('kept', item, { size, verified: known.verified, ...found })
}

/** The checksum and the further digests of what is there: as the sink remembers them, else all of them from the bytes. */
async function digestsThere(
  item: Item,
  sink: Sink,
  { size, proof }: Committed,
  algorithm: Algorithm,
  { digests = [], signal }: ExistingRun,
): Promise<Pick<Received, 'checksum' | 'digests'>> {
  const known = proof ? checksumsOf(proof).map((checksum) => checksum.algorithm) : []
  if (proof?.checksum.algorithm === algorithm && digests.every((wanted) => known.includes(wanted))) {
    return { checksum: proof.checksum, digests: proof.digests ?? [] }
  }
  const hash = createHash({ algorithm, digests, size, saveable: false })
  try {
    const { checksum, digests: found } = await hashOf(await sink.read(item.path, signal), hash)
    return { checksum, digests: found }
  } finally {
    hash.close()
  }
}
