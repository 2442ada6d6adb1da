import { z } from 'zod'
import type { BatchId } from '../model/batch.ts'
import { checksumSchema, checksumsSchema, sameChecksum, type Algorithm, type Checksum } from '../model/checksum.ts'
import { checksumsOf, type Receipt } from '../model/receipt.ts'
import { ExternalSort, type Group } from './external-sort.ts'

const count = z.number().int().nonnegative()
const receivedSchema = z.object({
  kind: z.literal('received'),
  batch: z.string(),
  n: count,
  /** Undefined: unknown, as a server may list a checksum alone. */
  size: count.optional(),
  checksum: checksumSchema.optional(),
  digests: checksumsSchema.optional(),
  finishedAt: z.string(),
  mirror: z.string().optional(),
  dataset: z.string().optional(),
})
const unfetchedSchema = z.object({
  kind: z.literal('unfetched'),
  batch: z.string(),
  n: count,
  why: z.string().optional(),
  mirror: z.string().optional(),
  dataset: z.string().optional(),
})
/** Taken of bytes that were found right. */
const provenSchema = z.object({ kind: z.literal('proven'), size: count.optional(), checksums: checksumsSchema })
const listedSchema = z.object({ kind: z.literal('listed'), size: count })
const factSchema = z.discriminatedUnion('kind', [receivedSchema, unfetchedSchema, provenSchema, listedSchema])
type Fact = z.infer<typeof factSchema>
type Received = Readonly<z.infer<typeof receivedSchema>>

/** What a record says about the bytes at a path. */
export type Stated = Pick<Receipt, 'n' | 'path' | 'finishedAt'> & {
  readonly size?: number | undefined
  readonly checksum?: Receipt['checksum']
  readonly digests?: Receipt['digests']
  /** Of a mirror's: its name, and the PID of the dataset. Its time is that of the mirror's last run, not the file's. */
  readonly mirror?: string
  readonly dataset?: string
}

/** What a record says is wanted at a path, and has not come. */
export type Unfetched = Omit<z.infer<typeof unfetchedSchema>, 'batch'> & { readonly path: string }

export const knownPathSchema = z.object({
  path: z.string(),
  /** Bytes of the file that lies there. */
  listed: count.optional(),
  /** What should be there. */
  received: receivedSchema.optional(),
  /** What is wanted there and has not come; of several batches the first one that was added. */
  unfetched: unfetchedSchema.optional(),
})
/** Digests that were taken of what is at a path, when it was found right. */
export interface Proven {
  readonly path: string
  readonly size?: number | undefined
  readonly checksums: readonly Checksum[]
}

/** All that is known about one path of a destination. */
export type KnownPath = Readonly<z.infer<typeof knownPathSchema>>

/** What records and listing say about each path, in flat memory. Batches are added oldest first. */
export class KnownPaths implements AsyncDisposable {
  readonly #facts = new ExternalSort<Fact>(factSchema)

  async addReceipt(
    batch: BatchId,
    { n, path, size, checksum, digests, finishedAt, mirror, dataset }: Stated,
  ): Promise<void> {
    await this.#facts.add(path, {
      kind: 'received',
      batch,
      n,
      ...(size !== undefined && { size }),
      ...(checksum && { checksum }),
      ...(digests && { digests }),
      finishedAt,
      ...(mirror !== undefined && { mirror }),
      ...(dataset !== undefined && { dataset }),
    })
  }

  async addUnfetched(batch: BatchId, { path, ...unfetched }: Unfetched): Promise<void> {
    await this.#facts.add(path, { ...unfetched, batch })
  }

  async addProven({ path, size, checksums }: Proven): Promise<void> {
    await this.#facts.add(path, { kind: 'proven', ...(size !== undefined && { size }), checksums })
  }

  async addListed(path: string, size: number): Promise<void> {
    await this.#facts.add(path, { kind: 'listed', size })
  }

  /** Each path once; those of one folder mostly follow one another. To be read once, when all was added. */
  async *all(): AsyncGenerator<KnownPath> {
    for await (const group of this.#facts.groups()) yield knownPath(group)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#facts[Symbol.asyncDispose]()
  }
}

function knownPath({ key: path, values }: Group<Fact>): KnownPath {
  let listed: number | undefined
  let received: Received | undefined
  let unfetched: KnownPath['unfetched']
  for (const fact of values) {
    if (fact.kind === 'listed') listed = fact.size
    else if (fact.kind === 'unfetched') unfetched ??= fact
    else if (fact.kind === 'received' && (received === undefined || replaces(fact, received))) received = fact
  }
  return { path, listed, received: received && withDigests(received, values), unfetched }
}

/** With the digests that any record holds of the same bytes. */
function withDigests(received: Received, facts: readonly Fact[]): Received {
  const { size, checksum } = received
  const digests = new Map<Algorithm, Checksum>()
  for (const fact of facts) {
    const known = fact.kind === 'proven' ? fact.checksums : fact.kind === 'received' ? checksumsOf(fact) : []
    const isSame = checksum ? known.some((one) => sameChecksum(one, checksum)) : 'size' in fact && fact.size === size
    if (!isSame) continue
    for (const one of known) {
      if (one.algorithm !== checksum?.algorithm && !digests.has(one.algorithm)) digests.set(one.algorithm, one)
    }
  }
  return digests.size === 0 ? received : { ...received, digests: [...digests.values()] }
}

/**
 * The newest receipt of any batch says what is at a path, but for one that was written without a look at the bytes: it
 * replaces nothing that is known of them.
 */
function replaces(later: Received, known: Received): boolean {
  const saysMore = Number(later.checksum !== undefined) - Number(known.checksum !== undefined)
  return saysMore === 0 ? later.finishedAt >= known.finishedAt : saysMore > 0
}
