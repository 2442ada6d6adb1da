import { crc32, deflateRawSync } from 'node:zlib'
import { ZipFile } from 'yazl'

/** An entry to write, by default as Dataverse does: deflated, with a data descriptor, UTF-8 names. */
export interface RawEntry {
  readonly name: string | Uint8Array
  readonly data?: Uint8Array | string
  readonly method?: number
  readonly descriptor?: 'none' | 'signed' | 'unsigned' | 'signed64' | 'unsigned64'
  readonly flags?: number
  /** Packed bytes in place of those that `method` would make. */
  readonly packed?: Uint8Array
  readonly local?: Partial<Fields>
  readonly central?: Partial<Fields>
  readonly externalAttributes?: number
  /** Bytes between this entry and the next. */
  readonly gap?: Uint8Array
}

interface Fields {
  readonly name: Uint8Array
  readonly flags: number
  readonly method: number
  readonly crc32: number
  readonly compressedSize: number
  readonly size: number
  readonly offset: number
  readonly extra: Uint8Array
}

export interface RawEnd {
  readonly entries?: number
  readonly size?: number
  readonly offset?: number
  readonly comment?: string
  /** With the ZIP64 end record and locator, and a count in the plain one that is full. */
  readonly zip64?: boolean
  /** Bytes between the directory and the end record. */
  readonly gap?: Uint8Array
}

const UTF8 = 0x800
const DESCRIPTOR = 0x8

/** Writes an archive by hand, with whatever lies are asked for. */
export function buildZip(entries: readonly RawEntry[], end: RawEnd = {}): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const entry of entries) {
    const { before, packed, after, central } = records(entry, offset)
    const all = Buffer.concat([before, packed, after, entry.gap ?? Buffer.alloc(0)])
    parts.push(all)
    directory.push(central)
    offset += all.length
  }
  const central = Buffer.concat(directory)
  return Buffer.concat([
    ...parts,
    central,
    end.gap ?? Buffer.alloc(0),
    endRecord(entries.length, central.length, offset, end),
  ])
}

/** The data that an entry unpacks to. */
export function dataOf(entry: RawEntry): Buffer {
  return Buffer.from(entry.data ?? '')
}

function records(entry: RawEntry, offset: number) {
  const data = dataOf(entry)
  const method = entry.method ?? 8
  const form = entry.descriptor ?? 'signed'
  const packed = Buffer.from(entry.packed ?? (method === 8 ? deflateRawSync(data) : data))
  const truth: Fields = {
    name: Buffer.from(entry.name),
    flags: (entry.flags ?? UTF8) | (form === 'none' ? 0 : DESCRIPTOR),
    method,
    crc32: crc32(data),
    compressedSize: packed.length,
    size: data.length,
    offset,
    extra: Buffer.alloc(0),
  }
  const open = form === 'none' ? {} : { crc32: 0, compressedSize: 0, size: 0 }
  return {
    before: header(0x04034b50, { ...truth, ...open, ...entry.local }, undefined),
    packed,
    after: descriptor(truth, form),
    central: header(0x02014b50, { ...truth, ...entry.central }, entry.externalAttributes ?? 0),
  }
}

function header(signature: number, fields: Fields, externalAttributes: number | undefined): Buffer {
  const central = externalAttributes !== undefined
  const fixed = Buffer.alloc(central ? 46 : 30)
  fixed.writeUInt32LE(signature, 0)
  const at = central ? 6 : 4
  if (central) fixed.writeUInt16LE((3 << 8) | 20, 4)
  fixed.writeUInt16LE(20, at)
  fixed.writeUInt16LE(fields.flags, at + 2)
  fixed.writeUInt16LE(fields.method, at + 4)
  fixed.writeUInt32LE(fields.crc32, at + 10)
  fixed.writeUInt32LE(fields.compressedSize, at + 14)
  fixed.writeUInt32LE(fields.size, at + 18)
  fixed.writeUInt16LE(fields.name.length, at + 22)
  fixed.writeUInt16LE(fields.extra.length, at + 24)
  if (central) {
    fixed.writeUInt32LE(externalAttributes, 38)
    fixed.writeUInt32LE(fields.offset, 42)
  }
  return Buffer.concat([fixed, fields.name, fields.extra])
}

function descriptor(fields: Fields, form: NonNullable<RawEntry['descriptor']>): Buffer {
  if (form === 'none') return Buffer.alloc(0)
  const bytes = Buffer.alloc(24)
  bytes.writeUInt32LE(0x08074b50, 0)
  bytes.writeUInt32LE(fields.crc32, 4)
  bytes.writeBigUInt64LE(BigInt(fields.compressedSize), 8)
  bytes.writeBigUInt64LE(BigInt(fields.size), 16)
  const sized = form.endsWith('64') ? bytes : Buffer.concat([bytes.subarray(0, 12), bytes.subarray(16, 20)])
  return form.startsWith('unsigned') ? sized.subarray(4) : sized
}

function endRecord(entries: number, size: number, offset: number, end: RawEnd): Buffer {
  const comment = Buffer.from(end.comment ?? '')
  const count = end.entries ?? entries
  const record = Buffer.alloc(22)
  record.writeUInt32LE(0x06054b50, 0)
  record.writeUInt16LE(Math.min(count, 0xffff), 8)
  record.writeUInt16LE(Math.min(count, 0xffff), 10)
  record.writeUInt32LE(end.size ?? size, 12)
  record.writeUInt32LE(end.offset ?? offset, 16)
  record.writeUInt16LE(comment.length, 20)
  return Buffer.concat([end.zip64 === true ? zip64End(count, size, offset) : Buffer.alloc(0), record, comment])
}

function zip64End(entries: number, size: number, offset: number): Buffer {
  const bytes = Buffer.alloc(76)
  bytes.writeUInt32LE(0x06064b50, 0)
  bytes.writeBigUInt64LE(44n, 4)
  bytes.writeBigUInt64LE(BigInt(entries), 24)
  bytes.writeBigUInt64LE(BigInt(entries), 32)
  bytes.writeBigUInt64LE(BigInt(size), 40)
  bytes.writeBigUInt64LE(BigInt(offset), 48)
  bytes.writeUInt32LE(0x07064b50, 56)
  bytes.writeBigUInt64LE(BigInt(offset + size), 64)
  bytes.writeUInt32LE(1, 72)
  return bytes
}

/** Writes an archive with yazl, as other tools would. */
export async function yazlZip(add: (zip: ZipFile) => void, zip64 = false): Promise<Buffer> {
  const zip = new ZipFile()
  add(zip)
  zip.end({ forceZip64Format: zip64, comment: '' })
  const chunks: Buffer[] = []
  for await (const chunk of zip.outputStream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** A stream of the bytes in pieces of these lengths, over and over; each piece is overwritten when the next is asked for. */
export async function* inPieces(bytes: Uint8Array, lengths: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const length = lengths[turn % lengths.length] ?? bytes.length
    const piece = Uint8Array.from(bytes.subarray(at, at + length))
    yield await Promise.resolve(piece)
    piece.fill(0xee)
    at += length
  }
}

/** All bytes of a stream, copied as they come. */
export async function gather(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}

/** The codes that errors end with; `none` where nothing was thrown. */
export async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
  )
}
