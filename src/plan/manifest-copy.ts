import { createHash } from 'node:crypto'
import { names } from '../batch/folder.ts'
import { unreadable } from '../batch/record.ts'
import type { Batch, BatchId } from '../model/batch.ts'
import type { Records } from '../sinks/sink.ts'
import { firstBytes, hashOfParts } from './intake.ts'

/** Keeps manifests, one after the other, in their batch folder: as a log, which any sink can read piece by piece. */
export async function keepManifest(records: Records, id: BatchId, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const log = await records.appendTo(names.manifest(id), 0)
  try {
    for await (const chunk of bytes) await log.append(chunk)
  } finally {
    await log.close()
  }
}

/** The bytes of the copy from an offset on. */
export function manifestBytes(records: Records, id: BatchId): (from: number) => AsyncIterable<Uint8Array> {
  return (from) => records.streamLog(names.manifest(id), from)
}

/** Rejects with `RECORD_UNREADABLE` when the copy is not what the batch was made from. */
export async function checkManifest(records: Records, batch: Batch): Promise<void> {
  if (await isKept(records, batch)) return
  throw unreadable(`.dataferry/${names.manifest(batch.id)} is damaged, so planning cannot continue.`)
}

export async function isKept(records: Records, { id, manifest }: Batch): Promise<boolean> {
  const open = manifestBytes(records, id)
  if (!manifest.parts) return (await hashOf(open(0))) === manifest.sha256
  const read: { sha256: string; format: string }[] = []
  let from = 0
  for (const { bytes, format } of manifest.parts) {
    read.push({ sha256: await hashOf(firstBytes(open(from), bytes)), format })
    from += bytes
  }
  return hashOfParts(read) === manifest.sha256
}

async function hashOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}
