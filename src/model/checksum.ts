import { z } from 'zod'

export const ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** Hex digits of each algorithm's digest. */
export const HEX_LENGTH: Readonly<Record<Algorithm, number>> = { md5: 32, sha1: 40, sha256: 64, sha512: 128 }

/** See `Checksum`. */
export const checksumSchema = z.object({ algorithm: z.enum(ALGORITHMS), hex: z.string().regex(/^[0-9a-f]+$/) })
/**
 * A checksum as dataferry keeps it: our algorithm name, lower-case hex of the right length.
 * @useDeclaredType
 */
export type Checksum = Readonly<z.infer<typeof checksumSchema>>

/** What `--digest` can ask for: digests that hold against forgers, too. */
export const DIGESTS = ['sha256', 'sha512'] as const satisfies readonly Algorithm[]
/**
 * One of `DIGESTS`.
 * @useDeclaredType
 */
export type DigestAlgorithm = (typeof DIGESTS)[number]

/** Digests to take of every file. */
export const digestsSchema = z.array(z.enum(DIGESTS)).max(DIGESTS.length).readonly()

/** Checksums of the same bytes, each in another algorithm. */
export const checksumsSchema = z.array(checksumSchema).max(ALGORITHMS.length).readonly()

/**
 * Reads a checksum as a server or a manifest spells it: `('SHA-1', '9E10…')` → `{ algorithm: 'sha1', hex: '9e10…' }`.
 * @returns undefined for an unknown algorithm or a value of the wrong length, which counts as absent.
 * @see the protocol note §3: Dataverse writes `MD5`, `SHA-1`, `SHA-256`, `SHA-512` (DataFile.java:115-120).
 */
export function parseChecksum(type: string, value: string): Checksum | undefined {
  if (type.length > MAX_NAME) return undefined
  const algorithm = ALGORITHMS.find((name) => name === type.toLowerCase().replaceAll(/[-_ ]/g, ''))
  const hex = value.trim().toLowerCase()
  if (!algorithm || hex.length !== HEX_LENGTH[algorithm] || !/^[0-9a-f]+$/.test(hex)) return undefined
  return { algorithm, hex }
}

/** Characters of an algorithm's name in any spelling. */
const MAX_NAME = 16

export function sameChecksum(a: Checksum, b: Checksum): boolean {
  return a.algorithm === b.algorithm && a.hex === b.hex
}
