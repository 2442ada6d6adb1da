import { createHash } from 'node:crypto'
import type { Algorithm, Checksum } from '../model/checksum.ts'

/** The algorithms needed to compare with these checksums, each once. */
export function algorithmsOf(checksums: Iterable<Checksum | undefined>): Algorithm[] {
  const algorithms = new Set<Algorithm>()
  for (const checksum of checksums) if (checksum) algorithms.add(checksum.algorithm)
  return [...algorithms]
}

/** Hashes the same bytes in several algorithms at once. */
export class Hashes {
  readonly #running: readonly { readonly algorithm: Algorithm; readonly hash: ReturnType<typeof createHash> }[]

  constructor(algorithms: readonly Algorithm[]) {
    this.#running = algorithms.map((algorithm) => ({ algorithm, hash: createHash(algorithm) }))
  }

  update(chunk: Uint8Array): void {
    for (const { hash } of this.#running) hash.update(chunk)
  }

  /** Ends the hashes; one checksum each, in the given order. */
  digest(): Checksum[] {
    return this.#running.map(({ algorithm, hash }) => ({ algorithm, hex: hash.digest('hex') }))
  }
}
