import { createHash } from 'node:crypto'
import { createMD5, createSHA1, createSHA256, createSHA512, type IHasher } from 'hash-wasm'
import type { Algorithm, Checksum } from '../../src/model/checksum.ts'
import type { Hash } from '../../src/model/hash.ts'

const HASHERS: Readonly<Record<Algorithm, () => Promise<IHasher>>> = {
  md5: createMD5,
  sha1: createSHA1,
  sha256: createSHA256,
  sha512: createSHA512,
}

/** A hash for the contract suites: correct and able to save its state, and that is all. */
export async function contractHash(algorithm: Algorithm = 'md5'): Promise<Hash> {
  const hasher = await HASHERS[algorithm]()
  hasher.init()
  return {
    algorithm,
    update: async (chunk) => Promise.resolve(void hasher.update(chunk)),
    digests: async () => Promise.resolve([]),
    digest: async () => Promise.resolve(hasher.digest('hex')),
    save: async () => Promise.resolve(hasher.save()),
    load: async (state) => Promise.resolve(void hasher.load(state)).then(() => true),
    reset: async () => Promise.resolve(void hasher.init()),
    close: () => undefined,
  }
}

/** The checksum by another implementation than the one that a sink is fed with. */
export function checksumOf(bytes: Uint8Array, algorithm: Algorithm = 'md5'): Checksum {
  return { algorithm, hex: createHash(algorithm).update(bytes).digest('hex') }
}
