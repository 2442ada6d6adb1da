import { createHash } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from '../../json/parse-json.ts'

/** Algorithms that content is addressed by. */
export const ADDRESSING = ['sha512', 'sha256'] as const
export type Addressing = (typeof ADDRESSING)[number]

export const OBJECT_DECLARATION = '0=ocfl_object_1.1'
export const OBJECT_TYPE = 'https://ocfl.io/1.1/spec/#inventory'

const paths = z.array(z.string())
const digests = z.record(z.string(), paths)
const versionSchema = z.object({
  created: z.string(),
  /** Paths of the version, by digest. */
  state: digests,
  message: z.string().optional(),
  user: z.object({ name: z.string(), address: z.string().optional() }).optional(),
})
const inventorySchema = z.object({
  id: z.string(),
  type: z.literal(OBJECT_TYPE),
  digestAlgorithm: z.enum(ADDRESSING),
  head: z.string().regex(/^v[1-9]\d*$/),
  contentDirectory: z.string().optional(),
  fixity: z.record(z.string(), digests).optional(),
  /** Paths in the object, by digest. */
  manifest: digests,
  versions: z.record(z.string(), versionSchema),
})
/**
 * The inventory of an object.
 * @see https://ocfl.io/1.1/spec/#inventory
 */
export type Inventory = z.infer<typeof inventorySchema>
export type OcflVersion = z.infer<typeof versionSchema>

/** @returns undefined for what is none, or of another version of OCFL */
export function readInventory(bytes: Uint8Array): Inventory | undefined {
  return inventorySchema.safeParse(parseJson(Buffer.from(bytes).toString('utf8'))).data
}

/** Digests by path, of a manifest or the state of a version. */
export function byPath(digested: Readonly<Record<string, readonly string[]>>): Map<string, string> {
  return new Map(Object.entries(digested).flatMap(([digest, paths]) => paths.map((path) => [path, digest])))
}

export function inventoryText(inventory: Inventory): string {
  return `${JSON.stringify(inventory, null, 2)}\n`
}

/** The file beside an inventory that has its digest. */
export function sidecarName(algorithm: string): string {
  return `inventory.json.${algorithm}`
}

export function sidecarText(inventory: Uint8Array | string, algorithm: Addressing): string {
  return sidecarLine(createHash(algorithm).update(inventory).digest('hex'))
}

/** What is in a sidecar of this digest. */
export function sidecarLine(hex: string): string {
  return `${hex} inventory.json\n`
}

/** What is in a declaration of this name, of an object or a storage root. */
export function declarationText(name: string): string {
  return `${name.slice('0='.length)}\n`
}

/** `v3` → 3 */
export function versionNumber(name: string): number {
  return Number(name.slice(1))
}

/** The name of the newest version, of the names in the folder of an object. */
export function newestVersion(names: readonly string[]): string | undefined {
  const versions = names.filter((name) => /^v[1-9]\d*$/.test(name))
  return versions.toSorted((a, b) => versionNumber(a) - versionNumber(b)).at(-1)
}

/** What a version is of: written by us into its message, so that versions of others are told from ours. */
export function messageFor(pid: string, number: string, server: string, missing: number): string {
  const lacks =
    missing === 0 ? '' : `, without ${missing} ${missing === 1 ? 'file' : 'files'} that could not be fetched`
  return `Version ${number} of ${pid}, fetched from ${server} by dataferry${lacks}`
}

/** The number of the dataset's version; undefined: somebody else wrote this version. */
export function datasetVersionOf({ message = '' }: OcflVersion): string | undefined {
  return /^Version (\S{1,40}) of .+, fetched from \S+ by dataferry(?:, without \d+ files? that could not be fetched)?$/.exec(
    message,
  )?.[1]
}

/** The order of version numbers: `2.0` before `10.0`. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((one) => one.split('.').map(Number))
  for (let at = 0; at < Math.max(left?.length ?? 0, right?.length ?? 0); at++) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
