import { getFileNameLowLevel, parseExtraFields, type ExtraField } from 'yauzl'
import type { ByteReader } from './byte-reader.ts'
import { asDamage, damaged, hostile } from './damage.ts'

/** The four bytes at the start of each record, as little-endian numbers. @see APPNOTE.TXT 6.3.10 §4.3 */
export const SIGNATURES = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  central: 0x02014b50,
  archiveExtra: 0x08064b50,
  zip64End: 0x06064b50,
  zip64Locator: 0x07064b50,
  end: 0x06054b50,
} as const

export const STORED = 0
const DEFLATED = 8

/** Bits that change how an entry is read: encryption (0, 6, 13), data descriptor (3), UTF-8 name (11). */
const MEANINGFUL_FLAGS = 0x2849
const ENCRYPTED_FLAGS = 0x2041
const DESCRIPTOR_FLAG = 0x0008

/** A number too large for four bytes is in the ZIP64 extra field. */
const ELSEWHERE = 0xffffffff
const ZIP64_FIELD = 0x0001

/** The header before the bytes of an entry. With `descriptor`, the CRC and the sizes follow the bytes instead. */
export interface LocalHeader {
  readonly name: string
  readonly rawName: Buffer
  readonly flags: number
  readonly method: number
  readonly descriptor: boolean
  readonly crc32: number
  readonly compressedSize: number
  readonly size: number
}

/** Reads the local header at the reader's position. Rejects with `ZIP_DAMAGED`. */
export async function takeLocalHeader(reader: ByteReader): Promise<LocalHeader> {
  const at = reader.position
  const fixed = Buffer.from(await reader.take(30))
  if (fixed.readUInt32LE(0) !== SIGNATURES.local) throw damaged(`The archive has no entry at byte ${at}.`)
  const nameLength = fixed.readUInt16LE(26)
  const variable = Buffer.from(await reader.take(nameLength + fixed.readUInt16LE(28)))
  const rawName = variable.subarray(0, nameLength)
  const flags = fixed.readUInt16LE(6)
  try {
    const extra = parseExtraFields(variable.subarray(nameLength))
    return {
      name: getFileNameLowLevel(flags, rawName, extra, true),
      rawName,
      flags: flags & MEANINGFUL_FLAGS,
      method: fixed.readUInt16LE(8),
      descriptor: (flags & DESCRIPTOR_FLAG) !== 0,
      crc32: fixed.readUInt32LE(14),
      ...localSizes(fixed.readUInt32LE(18), fixed.readUInt32LE(22), extra),
    }
  } catch (error) {
    throw asDamage(error, `The archive’s entry at byte ${at} cannot be read`)
  }
}

/** The flags that both headers of an entry must agree in. */
export function meaningfulFlags(flags: number): number {
  return flags & MEANINGFUL_FLAGS
}

/** Throws `ZIP_HOSTILE` for what cannot be unpacked and never comes from Dataverse: encryption, other methods. */
export function refuseUnreadable(entry: {
  readonly name: string
  readonly flags: number
  readonly method: number
}): void {
  const name = JSON.stringify(entry.name.slice(0, 200))
  if ((entry.flags & ENCRYPTED_FLAGS) !== 0) throw hostile(`The archive’s entry ${name} is encrypted.`)
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw hostile(`The archive’s entry ${name} is compressed with method ${entry.method}, which is not supported.`)
  }
}

function localSizes(compressedSize: number, size: number, extra: readonly ExtraField[]) {
  const field = extra.find(({ id }) => id === ZIP64_FIELD)?.data
  if (!field || field.length < 16) return { compressedSize, size }
  // In local headers the field holds both sizes, the unpacked one first, whatever was too large.
  return {
    compressedSize: compressedSize === ELSEWHERE ? Number(field.readBigUInt64LE(8)) : compressedSize,
    size: size === ELSEWHERE ? Number(field.readBigUInt64LE(0)) : size,
  }
}
