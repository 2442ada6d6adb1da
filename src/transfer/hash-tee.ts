import { z } from 'zod'
import { parseJson } from '../json/parse-json.ts'
import { ALGORITHMS, type Algorithm, type Checksum } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'

/** States by algorithm. */
const stateSchema = z.partialRecord(z.enum(ALGORITHMS), z.base64())

/**
 * Several hashes of the same bytes as one. Each has seen exactly what the others have, at any time: they are fed, saved, loaded
 * and reset together, so that a state is that of all of them or of none.
 */
export class HashTee implements Hash {
  readonly #first: Hash
  readonly #further: readonly Hash[]

  constructor(first: Hash, further: readonly Hash[]) {
    this.#first = first
    this.#further = further
  }

  get algorithm(): Algorithm {
    return this.#first.algorithm
  }

  async update(chunk: Uint8Array): Promise<void> {
    await this.#each((hash) => hash.update(chunk))
  }

  digest(): Promise<string> {
    return this.#first.digest()
  }

  digests(): Promise<readonly Checksum[]> {
    return Promise.all(this.#further.map(async (hash) => ({ algorithm: hash.algorithm, hex: await hash.digest() })))
  }

  async save(): Promise<Uint8Array | undefined> {
    const states: z.infer<typeof stateSchema> = {}
    const saved = await this.#each(async (hash) => ({ hash, state: await hash.save() }))
    for (const { hash, state } of saved) {
      if (!state) return undefined
      states[hash.algorithm] = Buffer.from(state).toString('base64')
    }
    return Buffer.from(JSON.stringify(states))
  }

  async load(state: Uint8Array): Promise<boolean> {
    const states = stateSchema.safeParse(parseJson(Buffer.from(state).toString())).data ?? {}
    const loaded = await this.#each((hash) => hash.load(Buffer.from(states[hash.algorithm] ?? '', 'base64')))
    if (loaded.every(Boolean)) return true
    await this.reset()
    return false
  }

  async reset(): Promise<void> {
    await this.#each((hash) => hash.reset())
  }

  close(): void {
    for (const hash of [this.#first, ...this.#further]) hash.close()
  }

  #each<T>(step: (hash: Hash) => Promise<T>): Promise<T[]> {
    return Promise.all([this.#first, ...this.#further].map(step))
  }
}
