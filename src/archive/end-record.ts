import type { ArchiveLimits } from './limits.ts'
import { refuseCount } from './limits.ts'
import { damaged, hostile } from './damage.ts'
import { SIGNATURES } from './headers.ts'
import type { RandomAccess } from './random-access.ts'

const END_LENGTH = 22
const LOCATOR_LENGTH = 20
const ZIP64_END_LENGTH = 56
const LONGEST_COMMENT = 0xffff

/** Where the central directory is. Counts and bytes. */
export interface Directory {
  readonly entries: number
  readonly offset: number
  readonly size: number
}

/**
 * Finds the end-of-central-directory record in the last bytes of an archive: the last signature, and only when its
 * comment reaches exactly to the end.
 * @returns its place in `tail`; undefined when it is missing, as in a truncated archive.
 */
export function findEnd(tail: Buffer): number | undefined {
  for (let at = tail.length - END_LENGTH; at >= 0 && at >= tail.length - END_LENGTH - LONGEST_COMMENT; at -= 1) {
    if (tail.readUInt32LE(at) !== SIGNATURES.end) continue
    return at + END_LENGTH + tail.readUInt16LE(at + 20) === tail.length ? at : undefined
  }
  return undefined
}

/** Bytes at the end of an archive that must contain the record. */
export const TAIL_LENGTH = END_LENGTH + LONGEST_COMMENT

/**
 * Reads the end of an archive, including ZIP64, and checks that the central directory reaches exactly to it.
 * Rejects with `ZIP_DAMAGED`, with `ZIP_HOSTILE` when it exceeds the limits, or what the source rejects with.
 */
export async function readEnd(source: RandomAccess, limits: ArchiveLimits): Promise<Directory> {
  if (source.size < END_LENGTH) throw damaged(`The archive is cut off at byte ${source.size}.`)
  const tailStart = Math.max(0, source.size - TAIL_LENGTH - LOCATOR_LENGTH)
  const tail = bufferOf(await source.read(tailStart, source.size))
  const at = findEnd(tail)
  if (at === undefined) throw damaged(`The archive of ${source.size} bytes is cut off: it has no end record.`)
  const locatorAt = at - LOCATOR_LENGTH
  const isZip64 = locatorAt >= 0 && tail.readUInt32LE(locatorAt) === SIGNATURES.zip64Locator
  const { directory, end } = isZip64
    ? await readZip64End(source, tailStart + locatorAt, tail.subarray(locatorAt, at))
    : { directory: readPlainEnd(tail.subarray(at)), end: tailStart + at }
  if (directory.offset + directory.size !== end) {
    throw damaged('The archive’s directory does not reach its end record: there are too few or too many bytes.')
  }
  refuseCount(directory.entries, limits)
  if (directory.size > limits.directoryBytes) {
    throw hostile(`The archive’s directory is longer than ${limits.directoryBytes} bytes.`)
  }
  return directory
}

function readPlainEnd(record: Buffer): Directory {
  if (
    record.readUInt16LE(4) !== 0 ||
    record.readUInt16LE(6) !== 0 ||
    record.readUInt16LE(8) !== record.readUInt16LE(10)
  ) {
    throw damaged('The archive says that it has several parts.')
  }
  return { entries: record.readUInt16LE(10), size: record.readUInt32LE(12), offset: record.readUInt32LE(16) }
}

async function readZip64End(source: RandomAccess, locatorAt: number, locator: Buffer) {
  const end = Number(locator.readBigUInt64LE(8))
  if (end + ZIP64_END_LENGTH > locatorAt) throw damaged('The archive’s ZIP64 end record is not where it should be.')
  const record = bufferOf(await source.read(end, end + ZIP64_END_LENGTH))
  const length = Number(record.readBigUInt64LE(4)) + 12
  if (record.readUInt32LE(0) !== SIGNATURES.zip64End || end + length !== locatorAt) {
    throw damaged('The archive’s ZIP64 end record is damaged.')
  }
  const entries = Number(record.readBigUInt64LE(32))
  if (
    record.readUInt32LE(16) !== 0 ||
    record.readUInt32LE(20) !== 0 ||
    Number(record.readBigUInt64LE(24)) !== entries
  ) {
    throw damaged('The archive says that it has several parts.')
  }
  const directory = { entries, size: Number(record.readBigUInt64LE(40)), offset: Number(record.readBigUInt64LE(48)) }
  return { directory, end }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
