import { z } from 'zod'
import type { BatchId } from '../model/batch.ts'
import { checksumSchema } from '../model/checksum.ts'
import type { Receipt } from '../model/receipt.ts'
import { ExternalSort, type Group } from './external-sort.ts'

const count = z.number().int().nonnegative()
const receivedSchema = z.object({
  kind: z.literal('received'),
  batch: z.string(),
  n: count,
  /** Undefined: unknown, as a server may list a checksum alone. */
  size: count.optional(),
  checksum: checksumSchema.optional(),
  finishedAt: z.string(),
  mirror: z.string().optional(),
  dataset: z.string().optional(),
})
const unfetchedSchema = z.object({
  kind: z.literal('unfetched'),
  batch: z.string(),
  n: count,
  why: z.string().optional(),
})
const listedSchema = z.object({ kind: z.literal('listed'), size: count })
const factSchema = z.discriminatedUnion('kind', [receivedSchema, unfetchedSchema, listedSchema])
type Fact = z.infer<typeof factSchema>
export type Received = Readonly<z.infer<typeof receivedSchema>>

/** What a record says about the bytes at a path. */
export type Stated = Pick<Receipt, 'n' | 'path' | 'finishedAt'> & {
  readonly size?: number | undefined
  readonly checksum?: Receipt['checksum']
  /** Of a mirror's: its name, and the PID of the dataset. Its time is that of the mirror's last run, not the file's. */
  readonly mirror?: string
  readonly dataset?: string
}

export const knownPathSchema = z.object({
  path: z.string(),
  /** Bytes of the file that lies there. */
  listed: count.optional(),
  /** What should be there. */
  received: receivedSchema.optional(),
  /** A planned line that has not ended well; of several batches the first one that was added. */
  unfetched: unfetchedSchema.optional(),
})
/** All that is known about one path of a destination. */
export type KnownPath = Readonly<z.infer<typeof knownPathSchema>>

/** What records and listing say about each path, in flat memory. Batches are added oldest first. */
export class KnownPaths implements AsyncDisposable {
  readonly #facts = new ExternalSort<Fact>(factSchema)

  async addReceipt(batch: BatchId, { n, path, size, checksum, finishedAt, mirror, dataset }: Stated): Promise<void> {
    await this.#facts.add(path, {
      kind: 'received',
      batch,
      n,
      ...(size !== undefined && { size }),
      ...(checksum && { checksum }),
      finishedAt,
      ...(mirror !== undefined && { mirror }),
      ...(dataset !== undefined && { dataset }),
    })
  }

  /** @param why the code that it failed with */
  async addUnfetched(batch: BatchId, n: number, path: string, why?: string): Promise<void> {
    await this.#facts.add(path, { kind: 'unfetched', batch, n, ...(why !== undefined && { why }) })
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
    else if (received === undefined || replaces(fact, received)) received = fact
  }
  return { path, listed, received, unfetched }
}

/**
 * The newest receipt of any batch says what is at a path, but for one that was written without a look at the bytes: it
 * replaces nothing that is known of them.
 */
function replaces(later: Received, known: Received): boolean {
  const saysMore = Number(later.checksum !== undefined) - Number(known.checksum !== undefined)
  return saysMore === 0 ? later.finishedAt >= known.finishedAt : saysMore > 0
}
