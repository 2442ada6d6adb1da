import { createHash } from 'node:crypto'
import type { Finding } from '../batch/verify-destination.ts'
import type { Receipt } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { listMirrors, names } from './order.ts'
import { heldDatasets, isHeld, readFiles, readState, type HeldFile } from './state.ts'

/** What the mirrors of a destination say is there, as receipts under a name for each mirror. */
export async function* mirrorReceipts(
  records: Records,
): AsyncGenerator<{ readonly id: string; readonly receipts: AsyncIterable<Receipt> }> {
  for (const mirror of await listMirrors(records))
    yield { id: `mirror-${mirror}`, receipts: receiptsOf(records, mirror) }
}

async function* receiptsOf(records: Records, mirror: string): AsyncGenerator<Receipt> {
  const state = await readState(records, mirror)
  if (!state) return
  for await (const { id } of heldDatasets(records, mirror)) {
    for (const file of await readFiles(records, mirror, id)) {
      if (isHeld(file)) yield receiptOf(file, id, state.finishedAt)
    }
  }
}

function receiptOf({ path, size = 0, checksum, verified = 'size' }: HeldFile, n: number, finishedAt: string): Receipt {
  return { state: 'kept', n, path, size, ...(checksum && { checksum }), verified, resumedFrom: 0, finishedAt }
}

/** Compares the metadata that mirrors keep with what was written. */
export async function* verifyMetadata(records: Records): AsyncGenerator<Finding> {
  for (const mirror of await listMirrors(records)) {
    for await (const { id, folder, versions } of heldDatasets(records, mirror)) {
      for (const { number, metadata = {} } of versions) {
        for (const [file, expected] of Object.entries(metadata)) {
          const name = names.metadata(mirror, folder, number, file)
          yield compare(await records.read(name), expected, {
            path: `.dataferry/${name}`,
            batch: `mirror-${mirror}`,
            n: id,
          })
        }
      }
    }
  }
}

function compare(
  bytes: Uint8Array | undefined,
  expected: string,
  place: { readonly path: string; readonly batch: string; readonly n: number },
): Finding {
  if (!bytes) return { state: 'missing', ...place }
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found === expected) return { state: 'ok', path: place.path, size: bytes.length }
  return { state: 'changed', ...place, expected: `sha256 ${expected}`, found: `sha256 ${found}` }
}
