import { createHash } from 'node:crypto'
import type { Checksum } from '../../../src/model/checksum.ts'
import type { Item } from '../../../src/model/item.ts'
import type { S3Options } from '../../../src/sinks/s3/s3-sink.ts'
import { bytesOf, itemAt } from '../../contracts/sink-bytes.ts'

/** What a child process is told, as JSON. */
export interface KillTask {
  readonly url: string
  readonly options: S3Options
  readonly size: number
  readonly checksum: Checksum
  /** Bytes after which the process kills itself. */
  readonly killAfter: number
  /** File for what the process has done: `{"from":…,"at":…}`, overwritten in place. */
  readonly progress: string
}

export const CHUNK = 256 << 10
const BLOCK = bytesOf(CHUNK)

/** A file that is never whole in memory: each chunk is the same noise with its own number in front. */
export function* generated(size: number, from: number): Generator<Uint8Array> {
  for (let at = from; at < size;) {
    const number = Math.floor(at / CHUNK)
    BLOCK.writeUInt32LE(number)
    const chunk = BLOCK.subarray(at - number * CHUNK, Math.min(CHUNK, size - number * CHUNK))
    yield chunk
    at += chunk.length
  }
}

export function generatedChecksum(size: number): Checksum {
  const hash = createHash('md5')
  for (const chunk of generated(size, 0)) hash.update(chunk)
  return { algorithm: 'md5', hex: hash.digest('hex') }
}

export function generatedItem({ size, checksum }: Pick<KillTask, 'size' | 'checksum'>): Item {
  return { ...itemAt('large.bin'), expect: { size, checksum } }
}
