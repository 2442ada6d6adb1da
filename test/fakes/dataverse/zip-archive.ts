import { createDeflateRaw, crc32, deflateRawSync } from 'node:zlib'
import { Readable } from 'node:stream'
import { toBuffer } from './content.ts'
import type { Content } from './content.ts'

/** One entry; `open` runs when its turn comes and may throw, which breaks the archive there. */
export interface ArchiveEntry {
  /** Written as it is, however unwise, as the Java library does. With `/` at the end: a folder. */
  readonly name: string
  readonly open: () => Content
}

interface Written {
  readonly name: Buffer
  readonly at: number
  readonly crc: number
  readonly size: number
  readonly compressed: number
}

const SMALL = 256 * 1024
/** Sizes follow the data in a descriptor; names are UTF-8. */
const FLAGS = 0x0808
const DEFLATE = 8
const MOST = 0xffff

/**
 * Streams a deflated archive with data descriptors, as `ZipOutputStream` does. Not for more than 65,535 entries or
 * 4 GiB. Rejects when an entry cannot be opened, after the bytes of those before it.
 */
export async function* archive(entries: readonly ArchiveEntry[]): AsyncGenerator<Uint8Array> {
  if (entries.length > MOST) throw new Error('The stand-in writes no ZIP64 archives.')
  const stamp = dosTime(new Date())
  const written: Written[] = []
  let at = 0
  for (const { name, open } of entries) {
    const content = open()
    const header = localHeader(Buffer.from(name), stamp)
    yield header
    const sums = { crc: 0, size: content.size, compressed: 0 }
    for await (const chunk of content.size <= SMALL ? atOnce(content, sums) : flowing(content, sums)) {
      sums.compressed += chunk.length
      yield chunk
    }
    written.push({ name: Buffer.from(name), at, ...sums })
    yield descriptor(sums)
    at += header.length + sums.compressed + 16
  }
  yield directory(written, at, stamp)
}

function* atOnce(content: Content, sums: { crc: number }): Generator<Uint8Array> {
  const data = toBuffer(content)
  sums.crc = crc32(data)
  yield deflateRawSync(data, { level: 1 })
}

async function* flowing(content: Content, sums: { crc: number }): AsyncGenerator<Uint8Array> {
  const deflated = Readable.from(summed(content, sums)).pipe(createDeflateRaw({ level: 1 }))
  for await (const chunk of deflated) if (Buffer.isBuffer(chunk)) yield chunk
}

function* summed(content: Content, sums: { crc: number }): Generator<Uint8Array> {
  for (const chunk of content.chunks(0, content.size)) {
    sums.crc = crc32(chunk, sums.crc)
    yield chunk
  }
}

function dosTime(now: Date): number {
  const date = ((now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate()
  return ((date << 16) | (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1)) >>> 0
}

function localHeader(name: Buffer, stamp: number): Buffer {
  const header = Buffer.alloc(30)
  header.writeUInt32LE(0x04034b50, 0)
  header.writeUInt16LE(20, 4)
  header.writeUInt16LE(FLAGS, 6)
  header.writeUInt16LE(DEFLATE, 8)
  header.writeUInt32LE(stamp, 10)
  header.writeUInt16LE(name.length, 26)
  return Buffer.concat([header, name])
}

function descriptor({ crc, size, compressed }: Pick<Written, 'crc' | 'size' | 'compressed'>): Buffer {
  const block = Buffer.alloc(16)
  block.writeUInt32LE(0x08074b50, 0)
  block.writeUInt32LE(crc, 4)
  block.writeUInt32LE(compressed, 8)
  block.writeUInt32LE(size, 12)
  return block
}

function directory(written: readonly Written[], at: number, stamp: number): Buffer {
  const records = written.flatMap((entry) => [centralRecord(entry, stamp), entry.name])
  const length = records.reduce((sum, { length }) => sum + length, 0)
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(written.length, 8)
  end.writeUInt16LE(written.length, 10)
  end.writeUInt32LE(length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...records, end])
}

function centralRecord({ name, at, crc, size, compressed }: Written, stamp: number): Buffer {
  const record = Buffer.alloc(46)
  record.writeUInt32LE(0x02014b50, 0)
  record.writeUInt16LE(20, 4)
  record.writeUInt16LE(20, 6)
  record.writeUInt16LE(FLAGS, 8)
  record.writeUInt16LE(DEFLATE, 10)
  record.writeUInt32LE(stamp, 12)
  record.writeUInt32LE(crc, 16)
  record.writeUInt32LE(compressed, 20)
  record.writeUInt32LE(size, 24)
  record.writeUInt16LE(name.length, 28)
  record.writeUInt32LE(at, 42)
  return record
}
