import { DataferryError } from '../../errors.ts'
import type { RandomAccess } from '../../archive/random-access.ts'
import type { PackEntry } from './pack-entry.ts'

const BLOCK = 512
/** Bytes of a size that eleven octal digits can say. */
const MOST_OCTAL = 8 ** 11 - 1
/** Bytes of a header that says more about the next one. */
const LONGEST_PAX = 1 << 20

/**
 * Packs entries into one file, in a folder of its name.
 * @see POSIX.1-2017, pax: `ustar` with extended headers for long names, names beyond ASCII, and sizes from 8 GiB
 */
export async function* tarOf(name: string, entries: AsyncIterable<PackEntry>, now: Date): AsyncGenerator<Uint8Array> {
  const mtime = Math.floor(now.getTime() / 1000)
  yield* header({ path: `${name}/`, size: 0, type: '5', mtime })
  for await (const { path, size, chunks } of entries) {
    yield* header({ path: `${name}/${path}`, size, type: path.endsWith('/') ? '5' : '0', mtime })
    yield* chunks
    yield padding(size)
  }
  yield Buffer.alloc(2 * BLOCK)
}

interface Header {
  readonly path: string
  readonly size: number
  readonly type: string
  readonly mtime: number
}

function* header({ path, size, type, mtime }: Header): Generator<Uint8Array> {
  const isLong = Buffer.byteLength(path) > 100 || /[^\x20-\x7e]/.test(path)
  const records = [
    ...(isLong ? [paxRecord('path', path)] : []),
    ...(size > MOST_OCTAL ? [paxRecord('size', String(size))] : []),
  ]
  if (records.length > 0) {
    const bytes = Buffer.from(records.join(''))
    yield block({ path: 'PaxHeader', size: bytes.length, type: 'x', mtime })
    yield bytes
    yield padding(bytes.length)
  }
  yield block({ path, size: Math.min(size, MOST_OCTAL), type, mtime })
}

/** `30 path=…\n`, whose number counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  const length = Buffer.byteLength(rest)
  let total = length + String(length).length
  while (total !== length + String(total).length) total++
  return `${total}${rest}`
}

function block({ path, size, type, mtime }: Header): Buffer {
  const bytes = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, digits: number): void =>
    void bytes.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  bytes.write(path.replaceAll(/[^\x20-\x7e]/g, '_').slice(0, 100), 0, 'latin1')
  octal(type === '5' ? 0o755 : 0o644, 100, 7)
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(size, 124, 11)
  octal(mtime, 136, 11)
  bytes.write('        ', 148, 'latin1')
  bytes.write(type, 156, 'latin1')
  bytes.write('ustar\x0000', 257, 'latin1')
  octal(sumOf(bytes), 148, 6)
  return bytes
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK)
}

/** The sum of a header's bytes, with blanks for the sum itself. */
function sumOf(bytes: Buffer): number {
  let sum = 0
  for (const [at, byte] of bytes.entries()) sum += at >= 148 && at < 156 ? 32 : byte
  return sum
}

/** An entry of a tar file. */
export interface TarEntry {
  readonly path: string
  readonly kind: 'file' | 'folder' | 'other'
  readonly size: number
  /** Of its first byte. */
  readonly offset: number
}

/** The entries of a tar file, without reading what is in them. Rejects with `BAG_INVALID` where it is damaged. */
export async function* tarEntries(source: RandomAccess): AsyncGenerator<TarEntry, void> {
  let more: Readonly<Partial<Record<string, string>>> = {}
  for (let at = 0; ;) {
    if (at + BLOCK > source.size) throw damaged('it ends in the middle')
    const bytes = Buffer.from(await source.read(at, at + BLOCK))
    if (bytes.every((byte) => byte === 0)) return
    if (sumOf(bytes) !== numberAt(bytes, 148, 8)) throw damaged(`the header at ${at} is none`)
    const type = textAt(bytes, 156, 1)
    const given = Number(more['size'] ?? numberAt(bytes, 124, 12))
    const size = type === '' || /^[0x7gLK]$/.test(type) ? given : 0
    const offset = at + BLOCK
    at = offset + Math.ceil(size / BLOCK) * BLOCK
    if (!Number.isSafeInteger(size) || size < 0) throw damaged(`the header at ${offset - BLOCK} has no size`)
    if (offset + size > source.size) throw damaged('it ends in the middle of a file')
    if (/^[xgLK]$/.test(type)) {
      if (size > LONGEST_PAX) throw damaged(`the header at ${offset} is too long`)
      if (type === 'x') more = { ...more, ...paxRecords(Buffer.from(await source.read(offset, offset + size))) }
      if (type === 'L') more = { ...more, path: textAt(Buffer.from(await source.read(offset, offset + size)), 0, size) }
      continue
    }
    yield { path: more['path'] ?? nameOf(bytes), kind: kindOf(type), size, offset }
    more = {}
  }
}

function kindOf(type: string): TarEntry['kind'] {
  if (type === '5') return 'folder'
  return type === '' || type === '0' || type === '7' ? 'file' : 'other'
}

function nameOf(bytes: Buffer): string {
  const isUstar = bytes.toString('latin1', 257, 262) === 'ustar'
  const prefix = isUstar && bytes.toString('latin1', 257, 265) !== 'ustar  \0' ? textAt(bytes, 345, 155) : ''
  const name = textAt(bytes, 0, 100)
  return prefix === '' ? name : `${prefix}/${name}`
}

function textAt(bytes: Buffer, at: number, length: number): string {
  const field = bytes.subarray(at, at + length)
  const end = field.indexOf(0)
  return field.toString('utf8', 0, end === -1 ? field.length : end)
}

/** Octal digits, or, as GNU tar writes what they cannot say, a binary number behind a byte of 0x80. */
function numberAt(bytes: Buffer, at: number, length: number): number {
  if (bytes[at] === 0x80) return Number(bytes.readBigUInt64BE(at + length - 8))
  const digits = textAt(bytes, at, length).trim()
  return /^[0-7]*$/.test(digits) ? parseInt(digits || '0', 8) : NaN
}

function paxRecords(bytes: Buffer): Record<string, string> {
  const records: Record<string, string> = {}
  for (let at = 0; at < bytes.length;) {
    const blank = bytes.indexOf(32, at)
    const length = Number(bytes.toString('latin1', at, blank))
    const record = bytes.toString('utf8', blank + 1, at + length - 1)
    if (blank === -1 || !Number.isInteger(length) || length <= 0) throw damaged('an extended header is none')
    const equals = record.indexOf('=')
    records[record.slice(0, equals)] = record.slice(equals + 1)
    at += length
  }
  return records
}

function damaged(why: string): DataferryError {
  return new DataferryError('BAG_INVALID', `The tar file is damaged: ${why}.`)
}
