import { createHash as nodeHash, type Hash as NodeHash } from 'node:crypto'
import type { Algorithm } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'
import { HashTee } from './hash-tee.ts'
import { threadHash } from './hash-threads.ts'

export interface HashOptions {
  readonly algorithm: Algorithm
  /** Taken of the same bytes besides. Default none. */
  readonly digests?: readonly Algorithm[] | undefined
  /** Expected bytes; undefined: unknown. */
  readonly size: number | undefined
  /** The sink resumes from a saved state, which only the slower WebAssembly hash has. */
  readonly saveable: boolean
}

/** Above this size handing chunks to a thread costs less than blocking the event loop. */
const THREAD_FROM_BYTES = 4 << 20

/** Creates the hash that fits: on this thread for small files, off the event loop for large and unknown ones. */
export function createHash({ algorithm, digests = [], size, saveable }: HashOptions): Hash {
  const one = (wanted: Algorithm, lane: number): Hash =>
    isSmall(size) || !saveable
      ? nativeHash(wanted, size, lane)
      : threadHash({ algorithm: wanted, kind: 'saveable' }, lane)
  const further = [...new Set(digests)].filter((wanted) => wanted !== algorithm)
  const first = one(algorithm, 0)
  if (further.length === 0) return first
  return new HashTee(
    first,
    further.map((wanted, i) => one(wanted, i + 1)),
  )
}

/** The same for any algorithm that Node.js knows, by its name there: what it has hashed cannot be saved. */
export function nativeHash<A extends string>(algorithm: A, size: number | undefined, lane = 0): Hash<A> {
  return isSmall(size) ? new InlineHash(algorithm) : threadHash({ algorithm, kind: 'native' }, lane)
}

function isSmall(size: number | undefined): boolean {
  return size !== undefined && size < THREAD_FROM_BYTES
}

class InlineHash<A extends string> implements Hash<A> {
  readonly algorithm: A
  #hash: NodeHash

  constructor(algorithm: A) {
    this.algorithm = algorithm
    this.#hash = nodeHash(algorithm)
  }

  update(chunk: Uint8Array): Promise<void> {
    this.#hash.update(chunk)
    return Promise.resolve()
  }

  digest(): Promise<string> {
    return Promise.resolve(this.#hash.digest('hex'))
  }

  digests(): Promise<[]> {
    return Promise.resolve([])
  }

  save(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  load(): Promise<boolean> {
    return Promise.resolve(false)
  }

  reset(): Promise<void> {
    this.#hash = nodeHash(this.algorithm)
    return Promise.resolve()
  }

  close(): void {
    // Nothing outlives this object.
  }
}
