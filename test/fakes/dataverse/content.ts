import { createCipheriv, createHash, hash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'

/** The bytes of a stored object, any part of which can be had without holding the rest. */
export interface Content {
  readonly size: number
  /** Equal for contents with equal bytes, so that a checksum is computed once; undefined: cached by object. */
  readonly key: string | undefined
  /** The bytes `from` … `to` − 1 in order. Chunks may be views of shared memory: never write to them. */
  chunks(from: number, to: number): Iterable<Uint8Array>
}

/** A file's checksum algorithms, as the server spells them (DataFile.java:115-120). */
export const CHECKSUM_TYPES = ['MD5', 'SHA-1', 'SHA-256', 'SHA-512'] as const
export type ChecksumType = (typeof CHECKSUM_TYPES)[number]

const NODE_NAMES = { MD5: 'md5', 'SHA-1': 'sha1', 'SHA-256': 'sha256', 'SHA-512': 'sha512' } as const

const BLOCK = 256 * 1024
const POOL = 8 * 1024 * 1024
const STAMP = 16
const SMALL = 1024 * 1024

let pool: Uint8Array | undefined

/** Pseudo-random bytes that are the same in every process, made at first use in a few milliseconds. */
function sharedPool(): Uint8Array {
  pool ??= createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16)).update(Buffer.alloc(POOL + BLOCK))
  return pool
}

/** Where in the pool block `index` of a generated content begins: blocks differ, so a misplaced one shows in the checksum. */
function poolOffset(seed: number, index: number): number {
  let mixed = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 1, 0xc2b2ae35)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return ((mixed ^ (mixed >>> 13)) >>> 0) % POOL
}

/** Bytes held in memory. */
export function bytes(data: Uint8Array | string): Content {
  const held = typeof data === 'string' ? Buffer.from(data) : data
  return {
    size: held.length,
    key: undefined,
    *chunks(from, to) {
      for (let at = from; at < to; at += BLOCK) yield held.subarray(at, Math.min(to, at + BLOCK))
    },
  }
}

/** `size` bytes that follow from `seed`, of any size and without memory: every range is a view of one shared pool. */
export function generated(size: number, seed: number): Content {
  return { size, key: `${size}:${seed}`, chunks: (from, to) => generatedChunks(size, seed, from, to) }
}

function* generatedChunks(size: number, seed: number, from: number, to: number): Generator<Uint8Array> {
  const source = sharedPool()
  let at = from
  if (at < STAMP && at < to) {
    const stamp = createHash('md5').update(`${size}:${seed}`).digest()
    yield stamp.subarray(at, Math.min(STAMP, to))
    at = Math.min(STAMP, to)
  }
  while (at < to) {
    const index = Math.floor(at / BLOCK)
    const end = Math.min(to, (index + 1) * BLOCK)
    const offset = poolOffset(seed, index) - index * BLOCK
    yield source.subarray(offset + at, offset + end)
    at = end
  }
}

/** One content after the other. */
export function joined(first: Content, second: Content): Content {
  return {
    size: first.size + second.size,
    key: first.key !== undefined && second.key !== undefined ? `${first.key}+${second.key}` : undefined,
    *chunks(from, to) {
      if (from < first.size) yield* first.chunks(from, Math.min(to, first.size))
      if (to > first.size) yield* second.chunks(Math.max(0, from - first.size), to - first.size)
    },
  }
}

/** The bytes in one buffer; for small contents. */
export function toBuffer(content: Content, from = 0, to = content.size): Buffer {
  return Buffer.concat([...content.chunks(from, to)], to - from)
}

const byKey = new Map<string, Promise<string>>()
const byObject = new WeakMap<Content, Map<ChecksumType, Promise<string>>>()

/** The checksum in lower-case hex. Small contents at once; large ones in slices between other work, and only once. */
export function digest(content: Content, type: ChecksumType): string | Promise<string> {
  if (content.size <= SMALL) return hash(NODE_NAMES[type], toBuffer(content))
  if (content.key !== undefined) {
    const key = `${type}:${content.key}`
    const known = byKey.get(key) ?? digestSlowly(content, type)
    byKey.set(key, known)
    return known
  }
  const known = byObject.get(content) ?? new Map<ChecksumType, Promise<string>>()
  byObject.set(content, known)
  const value = known.get(type) ?? digestSlowly(content, type)
  known.set(type, value)
  return value
}

async function digestSlowly(content: Content, type: ChecksumType): Promise<string> {
  const running = createHash(NODE_NAMES[type])
  let since = 0
  for (const chunk of content.chunks(0, content.size)) {
    running.update(chunk)
    since += chunk.length
    if (since < 4 * SMALL) continue
    since = 0
    await setImmediate()
  }
  return running.digest('hex')
}
