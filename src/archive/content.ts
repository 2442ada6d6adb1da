import { crc32 } from 'node:zlib'
import type { ByteReader } from './byte-reader.ts'
import { damaged } from './damage.ts'
import { SIGNATURES, STORED } from './headers.ts'
import { inflate } from './inflate.ts'
import type { Budget } from './limits.ts'

/** The measured facts about an entry's bytes. */
export interface Measured {
  readonly crc32: number
  readonly compressedSize: number
  readonly size: number
}

export interface Packed {
  readonly method: number
  /** Bytes in the archive; undefined: up to the end of the deflate stream. */
  readonly compressedSize: number | undefined
  /** Most unpacked bytes; the first one beyond is refused. */
  readonly size: number | undefined
}

/**
 * Unpacks the bytes at the reader's position, and ends only when `prove` accepts what they are.
 * Rejects with `ZIP_DAMAGED`, `ZIP_HOSTILE`, or what `prove` and the source reject with.
 */
export async function* readContent(
  reader: ByteReader,
  packed: Packed,
  budget: Budget,
  prove: (measured: Measured) => Promise<void>,
): AsyncGenerator<Uint8Array, void> {
  const start = reader.position
  const chunks =
    packed.method === STORED ? copy(reader, packed.compressedSize ?? 0) : inflate(reader, packed.compressedSize)
  let checksum = 0
  let size = 0
  for await (const chunk of chunks) {
    size += chunk.length
    budget.spendBytes(chunk.length, reader.position)
    if (size > (packed.size ?? Infinity)) throw damaged(`The entry at ${start} of the archive is longer than it says.`)
    checksum = crc32(chunk, checksum)
    yield chunk
  }
  await prove({ crc32: checksum, compressedSize: reader.position - start, size })
}

async function* copy(reader: ByteReader, length: number): AsyncGenerator<Uint8Array> {
  for (let left = length; left > 0;) {
    const piece = await reader.some(left)
    if (!piece) throw damaged(`The archive is cut off at byte ${reader.position}.`)
    left -= piece.length
    yield piece
  }
}

/** Throws `ZIP_DAMAGED` when a record of an entry does not describe the received bytes. */
export function proveContent(name: string, measured: Measured, claimed: Measured): void {
  const wrong = (['crc32', 'compressedSize', 'size'] as const).filter((key) => measured[key] !== claimed[key])
  if (wrong.length === 0) return
  throw damaged(
    `The archive’s entry ${JSON.stringify(name.slice(0, 200))} does not have the ${wrong.join(' and ')} it claims.`,
  )
}

/**
 * Reads the data descriptor after an entry's bytes and verifies them with it. It comes with or without a signature and
 * with sizes of four or eight bytes, and nothing says which: the form with the right values is taken, and of several
 * the one followed by a record. Rejects with `ZIP_DAMAGED` when none is.
 * @see APPNOTE.TXT 6.3.10 §4.3.9
 */
export async function takeDescriptor(reader: ByteReader, name: string, measured: Measured): Promise<void> {
  const ahead = await reader.peek(28)
  const fitting = descriptorForms(measured).filter((form) => ahead.subarray(0, form.length).equals(form))
  const form = fitting.find(({ length }) => beginsRecord(ahead.subarray(length))) ?? fitting[0]
  if (!form)
    throw damaged(`The archive’s entry ${JSON.stringify(name.slice(0, 200))} is not what its data descriptor says.`)
  await reader.take(form.length)
}

function descriptorForms({ crc32: checksum, compressedSize, size }: Measured): Buffer[] {
  const long = Buffer.alloc(24)
  long.writeUInt32LE(SIGNATURES.descriptor, 0)
  long.writeUInt32LE(checksum, 4)
  long.writeBigUInt64LE(BigInt(compressedSize), 8)
  long.writeBigUInt64LE(BigInt(size), 16)
  // Four bytes hold a size modulo 2^32, as writers without ZIP64 leave it.
  const short = Buffer.concat([long.subarray(0, 12), long.subarray(16, 20)])
  return [short, long, short.subarray(4), long.subarray(4)]
}

function beginsRecord(bytes: Buffer): boolean {
  if (bytes.length < 4) return bytes.length === 0
  const signature = bytes.readUInt32LE(0)
  return Object.values(SIGNATURES).some((known) => known === signature && known !== SIGNATURES.descriptor)
}
