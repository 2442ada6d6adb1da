import { DataferryError } from '../errors.ts'
import type { Item } from '../model/item.ts'
import { receiptFor, withContent, type LeftOut, type Receipt } from '../model/receipt.ts'
import { createHash } from './hash.ts'
import { Meter } from './meter.ts'
import { tap } from './tap.ts'
import { refuseEndless, roomFor } from './incoming.ts'
import type { Endpoints, Run } from './transfer.ts'

/** What a sound archive contains. */
interface Inspection {
  /** Requested files that are not in it. */
  readonly leftOut: readonly LeftOut[]
  /** For people: what its entries were compared with. */
  readonly note: string
}

/** Reads an archive to its end. Rejects with `ZIP_DAMAGED`, `ZIP_HOSTILE`, or what `bytes` rejects with. */
export type Inspect = (bytes: AsyncIterable<Uint8Array>, signal: AbortSignal) => Promise<Inspection>

/**
 * Transfers an archive to the sink and verifies its structure as it passes, so that nothing has to be read back. The server
 * makes a new archive for each request: an earlier one cannot be resumed, neither between attempts nor within one.
 * Nothing shows at `item.path` unless it resolves. Rejects as `transfer` does, and with what `inspect` rejects with.
 */
export async function transferArchive(
  item: Item,
  { open, sink }: Endpoints,
  run: Run,
  inspect: Inspect,
): Promise<Receipt> {
  const { key, signal, count, onCounted, onProgress, digests: wanted } = run
  const hash = createHash({ algorithm: 'sha256', digests: wanted, size: undefined, saveable: sink.needsHashState })
  try {
    await using stage = await sink.stage({ key, item, signal })
    await stage.restart()
    // Before the stream is open: one that is never read from would not be closed.
    const free = await roomFor(item, sink)
    const { body, size: servedSize, answered: guestbook } = await open(item.ref, 0, { signal, count: count === true })
    // The server counts each file as it reaches it.
    onCounted?.()
    const { passing, result } = tap(body, (bytes) => inspect(bytes, signal))
    const room = servedSize === undefined ? free : undefined
    const meter = new Meter(hash, 0, (bytes) => refuseEndless(bytes, room), onProgress)
    try {
      await stage.append(meter.through(passing), hash, signal)
      const { size, checksum, digests } = await meter.result()
      if (servedSize !== undefined && servedSize !== size) {
        throw new DataferryError('ZIP_DAMAGED', `${size} bytes of the archive arrived; ${servedSize} were promised.`)
      }
      const inspection = await result
      await stage.commit({ checksum, digests, size, verified: 'structure' })
      const known = { size, checksum, digests, verified: 'structure' as const, ...(guestbook && { guestbook }) }
      return withContent(receiptFor('done', item, known), inspection)
    } catch (error) {
      await stage.restart()
      throw error
    }
  } finally {
    hash.close()
  }
}
