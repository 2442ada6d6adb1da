import { createHash as nodeHash, type Hash as NodeHash } from 'node:crypto'
import type { Algorithm } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'
import { threadHash } from './hash-threads.ts'

export interface HashOptions {
  readonly algorithm: Algorithm
  /** Expected bytes; undefined: unknown. */
  readonly size: number | undefined
  /** The sink resumes from a saved state, which only the slower WebAssembly hash has. */
  readonly saveable: boolean
}

/** Above this size handing chunks to a thread costs less than blocking the event loop. */
const THREAD_FROM_BYTES = 4 << 20

/** Creates the hash that fits: on this thread for small files, off the event loop for large and unknown ones. */
export function createHash({ algorithm, size, saveable }: HashOptions): Hash {
  if (isSmall(size) || !saveable) return nativeHash(algorithm, size)
  return threadHash({ algorithm, kind: 'saveable' })
}

/** The same for any algorithm that Node.js knows, by its name there: what it has hashed cannot be saved. */
export function nativeHash<A extends string>(algorithm: A, size: number | undefined): Hash<A> {
  return isSmall(size) ? new InlineHash(algorithm) : threadHash({ algorithm, kind: 'native' })
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
