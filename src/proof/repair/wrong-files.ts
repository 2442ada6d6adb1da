import { z } from 'zod'
import { ExternalSort } from '../../batch/external-sort.ts'
import type { Finding } from '../../batch/verify-destination.ts'
import { checksumSchema, checksumsSchema } from '../../model/checksum.ts'

const bytesSchema = z.object({
  size: z.number().optional(),
  checksum: checksumSchema.optional(),
  digests: checksumsSchema.optional(),
})
const knownBy = {
  path: z.string(),
  batch: z.string(),
  n: z.number(),
  mirror: z.string().optional(),
  dataset: z.string().optional(),
  expected: bytesSchema,
}
export const wrongSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('missing'), ...knownBy }),
  z.object({
    state: z.literal('changed'),
    kind: z.enum(['bit-rot', 'wrong-size']),
    ...knownBy,
    found: bytesSchema,
    why: z.string().optional(),
  }),
])
/** A file that is missing or changed. */
export type WrongFile = Extract<Finding, { readonly state: 'missing' | 'changed' }>

/** What is to be repaired, by path; in flat memory. */
export class WrongFiles implements AsyncDisposable {
  readonly #files = new ExternalSort<z.infer<typeof wrongSchema>>(wrongSchema)
  count = 0
  /** Of some the bytes cannot be read. */
  hasUnreadable = false

  async add(wrong: WrongFile): Promise<void> {
    this.count++
    this.hasUnreadable ||= wrong.state === 'changed' && wrong.why !== undefined
    await this.#files.add(wrong.path, wrong)
  }

  all(): AsyncGenerator<WrongFile> {
    return this.#files.values()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#files[Symbol.asyncDispose]()
  }
}
