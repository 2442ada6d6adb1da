import { z } from 'zod'
import { parseRecord, recordText } from '../batch/record.ts'
import { DataferryError } from '../errors.ts'
import { digestsSchema } from '../model/checksum.ts'
import { filtersSchema } from '../model/filters.ts'
import type { Records } from '../sinks/sink.ts'

const scopeSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('collections'),
    /** Aliases; each with everything below it. */
    collections: z.array(z.string()).min(1),
    /** Whether datasets that are only linked there belong to it as well. */
    linked: z.boolean(),
  }),
  z.object({ kind: z.literal('query'), query: z.string().min(1) }),
  z.object({ kind: z.literal('oai-set'), set: z.string().min(1) }),
  z.object({ kind: z.literal('datasets'), datasets: z.array(z.string()).min(1) }),
])
/** Which datasets a mirror is of. */
export type MirrorScope = Readonly<z.infer<typeof scopeSchema>>

export const METADATA = ['none', 'dataset', 'all'] as const
export const VERSIONS = ['latest', 'all'] as const
/** `tree`: a folder for each dataset; `ocfl`: an object of an OCFL storage root for each. */
export const LAYOUTS = ['tree', 'ocfl'] as const

/** `mirror.json`: the standing order. Written once, but for digests that a run adds; never holds a secret. */
const orderSchema = z.object({
  v: z.literal(1),
  name: z.string(),
  createdAt: z.string(),
  /** Base URL without trailing slash. */
  server: z.string(),
  scope: scopeSchema,
  versions: z.enum(VERSIONS),
  layout: z.enum(LAYOUTS),
  metadata: z.enum(METADATA),
  filters: filtersSchema.optional(),
  /** Taken of every file that a run fetches. Absent: none. */
  digests: digestsSchema.optional(),
  /** Share of the current datasets, 0 to 1, that may leave in one run. Absent: 5 %, or 10 datasets where that is more. */
  maxRemovals: z.number().min(0).max(1).optional(),
})
export type MirrorOrder = Readonly<z.infer<typeof orderSchema>>

const MIRRORS = 'mirrors'

/** Names of a mirror's records, relative to `.dataferry/`. */
export const names = {
  order: (mirror: string) => `${MIRRORS}/${mirror}/mirror.json`,
  lease: (mirror: string) => `${MIRRORS}/${mirror}/lease.json`,
  state: (mirror: string) => `${MIRRORS}/${mirror}/state.json`,
  files: (mirror: string, dataset: number) => `${MIRRORS}/${mirror}/files/${dataset}.json`,
  allFiles: (mirror: string) => `${MIRRORS}/${mirror}/files`,
  metadata: (mirror: string, folder: string, version: string, file: string) =>
    `${MIRRORS}/${mirror}/metadata/${folder}/v${version}/${file}`,
  run: (mirror: string, run: string, file: string) => `${MIRRORS}/${mirror}/runs/${run}/${file}`,
  runFolder: (mirror: string, run: string) => `${MIRRORS}/${mirror}/runs/${run}`,
  /** Every dataset after a run. */
  datasets: (mirror: string, run: string) => `${MIRRORS}/${mirror}/runs/${run}/datasets.ndjson`,
  runs: (mirror: string) => `${MIRRORS}/${mirror}/runs`,
  /** What a run that has not ended knows. */
  pending: (mirror: string, file: string) => `${MIRRORS}/${mirror}/pending/${file}`,
  allPending: (mirror: string) => `${MIRRORS}/${mirror}/pending`,
} as const

/** Places of a mirror's files that are no part of what the server shows now, relative to the destination. */
export const places = {
  superseded: (mirror: string, folder: string, version: string) =>
    `.dataferry/${MIRRORS}/${mirror}/superseded/${folder}/v${version}`,
  inTheWay: (mirror: string, run: string, path: string) =>
    `.dataferry/${MIRRORS}/${mirror}/superseded/in-the-way/${run}/${path}`,
  moving: (mirror: string, run: string, n: number) => `.dataferry/${MIRRORS}/${mirror}/moving/${run}/${n}`,
} as const

/** A name that is safe as a folder everywhere. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

export function checkMirrorName(name: string): string {
  if (NAME.test(name) && !name.endsWith('.')) return name
  const message = `${JSON.stringify(name)} cannot be the name of a mirror: use up to 64 small letters, digits, ".", "_" and "-".`
  throw new DataferryError('ARGUMENT_INVALID', message)
}

/** Rejects with `RECORD_UNREADABLE`. */
export async function readOrder(records: Records, mirror: string): Promise<MirrorOrder | undefined> {
  const bytes = await records.read(names.order(mirror))
  return bytes && parseRecord(orderSchema, bytes, names.order(mirror))
}

export async function writeOrder(records: Records, order: MirrorOrder): Promise<void> {
  await records.write(names.order(order.name), recordText(order))
}

/** Names of the mirrors of a destination. */
export async function listMirrors(records: Records): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of await mirrorFolders(records)) if (await records.read(names.order(name))) found.push(name)
  return found
}

/** The same, also where the standing order is lost. */
export async function mirrorFolders(records: Records): Promise<readonly string[]> {
  return (await records.folders(MIRRORS)).filter((name) => NAME.test(name))
}

/** `collection climate`, for people. */
export function scopeText({ scope }: MirrorOrder): string {
  switch (scope.kind) {
    case 'collections':
      return `${scope.collections.length === 1 ? 'collection' : 'collections'} ${scope.collections.join(', ')}`
    case 'query':
      return `the search ${scope.query}`
    case 'oai-set':
      return `OAI set ${scope.set}`
    case 'datasets':
      return `${scope.datasets.length} listed datasets`
  }
}
