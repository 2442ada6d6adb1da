import type { ByteReader } from './byte-reader.ts'
import { proveContent, readContent, takeDescriptor, type Measured } from './content.ts'
import { damaged } from './damage.ts'
import { SIGNATURES, STORED, type LocalHeader } from './headers.ts'
import type { Budget } from './limits.ts'

/**
 * Unpacks the bytes after a local header, and ends only when they agree with the header or the data descriptor;
 * then calls `note`. Rejects with `ZIP_DAMAGED`, also for a stored entry of unknown length, and `ZIP_HOSTILE`.
 */
export function provenContent(
  reader: ByteReader,
  header: LocalHeader,
  budget: Budget,
  note: (measured: Measured) => void = () => undefined,
): AsyncGenerator<Uint8Array, void> {
  if (header.descriptor && header.method === STORED) {
    throw damaged(`The archive’s entry ${JSON.stringify(header.name.slice(0, 200))} does not say where it ends.`)
  }
  const known = header.descriptor ? undefined : header
  const packed = { method: header.method, compressedSize: known?.compressedSize, size: known?.size }
  return readContent(reader, packed, budget, async (measured) => {
    if (known) proveContent(header.name, measured, known)
    else await takeDescriptor(reader, header.name, measured)
    note(measured)
  })
}

/** Whether an entry is next, rather than the directory or the end. Rejects with `ZIP_DAMAGED` when it is neither. */
export async function entryFollows(reader: ByteReader): Promise<boolean> {
  const ahead = await reader.peek(4)
  if (ahead.length < 4) throw damaged(`The archive is cut off at byte ${reader.position + ahead.length}.`)
  const signature = ahead.readUInt32LE(0)
  if (signature === SIGNATURES.local) return true
  // An archive without entries begins with its end record.
  if (signature === SIGNATURES.central || signature === SIGNATURES.end || signature === SIGNATURES.zip64End)
    return false
  throw damaged(`The archive has neither an entry nor its directory at byte ${reader.position}.`)
}
