import { createHash } from 'node:crypto'
import { z } from 'zod'

/** A storage layout extension of OCFL, with its parameters as `config.json` has them. */
export interface Layout {
  readonly config: LayoutConfig
  readonly description: string
  /** Where the object of an id is, relative to the storage root. */
  readonly pathOf: (id: string) => string
}

const tuples = {
  digestAlgorithm: z.enum(['md5', 'sha256', 'sha512']).default('sha256'),
  tupleSize: z.number().int().min(0).max(32).default(3),
  numberOfTuples: z.number().int().min(0).max(32).default(3),
}
const configSchema = z
  .discriminatedUnion('extensionName', [
    z.object({
      extensionName: z.literal('0004-hashed-n-tuple-storage-layout'),
      ...tuples,
      shortObjectRoot: z.boolean().default(false),
    }),
    z.object({ extensionName: z.literal('0003-hash-and-id-n-tuple-storage-layout'), ...tuples }),
  ])
  .refine(({ tupleSize, numberOfTuples }) => (tupleSize === 0) === (numberOfTuples === 0))
type LayoutConfig = z.infer<typeof configSchema>

/** Layouts by the names that `--layout` knows. A PID has slashes in it: `flat` is 0003 without tuples, which encodes them. */
const NAMED = {
  '0004': { extensionName: '0004-hashed-n-tuple-storage-layout' },
  '0003': { extensionName: '0003-hash-and-id-n-tuple-storage-layout' },
  flat: { extensionName: '0003-hash-and-id-n-tuple-storage-layout', tupleSize: 0, numberOfTuples: 0 },
} as const
export const LAYOUT_NAMES = Object.keys(NAMED)

export function layoutNamed(name: string): Layout | undefined {
  const found = Object.entries(NAMED).find(([known]) => known === name)
  return found && layoutOf(found[1])
}

/** Of a storage root that nobody asked for another one. */
export function usualLayout(): Layout {
  return layoutWith(configSchema.parse(NAMED['0004']))
}

/** The layout that a `config.json` describes; undefined where that is none we know. */
export function layoutOf(json: unknown): Layout | undefined {
  const config = configSchema.safeParse(json).data
  return config && layoutWith(config)
}

function layoutWith(config: LayoutConfig): Layout {
  const description =
    config.extensionName === '0004-hashed-n-tuple-storage-layout'
      ? 'Hashed n-tuples of the object id, and its digest'
      : 'Hashed n-tuples of the object id, and the id itself, encoded'
  return { config, description, pathOf: (id) => pathOf(config, id) }
}

/** @see https://ocfl.github.io/extensions/ 0003 and 0004 */
function pathOf(config: LayoutConfig, id: string): string {
  const { digestAlgorithm, tupleSize, numberOfTuples } = config
  const digest = createHash(digestAlgorithm).update(id).digest('hex')
  const folders = Array.from({ length: numberOfTuples }, (_, at) => digest.slice(at * tupleSize, (at + 1) * tupleSize))
  if (config.extensionName === '0003-hash-and-id-n-tuple-storage-layout') {
    return [...folders, encodedId(id, digest)].join('/')
  }
  const rest = config.shortObjectRoot ? digest.slice(tupleSize * numberOfTuples) : digest
  return [...folders, rest].join('/')
}

const LONGEST_ID = 100

function encodedId(id: string, digest: string): string {
  const bytes = [...Buffer.from(id)]
  const encoded = bytes
    .map((byte) => String.fromCharCode(byte))
    .map((one) => (/[A-Za-z0-9_-]/.test(one) ? one : `%${one.charCodeAt(0).toString(16).padStart(2, '0')}`))
    .join('')
  return encoded.length > LONGEST_ID ? `${encoded.slice(0, LONGEST_ID)}-${digest}` : encoded
}
