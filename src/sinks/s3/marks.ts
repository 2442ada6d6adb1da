import { z } from 'zod'
import { parseJson } from '../../json/parse-json.ts'
import { checksumSchema, checksumsSchema } from '../../model/checksum.ts'
import { VERIFIED } from '../../model/receipt.ts'
import { bytesOf, type Bucket, type Encryption, type Head } from './bucket.ts'
import { writeOf } from './metadata.ts'
import type { Proof } from '../sink.ts'

const markSchema = z.object({
  v: z.literal(1),
  /** Id of the write that made the object, as in its metadata. */
  write: z.string(),
  checksum: checksumSchema,
  digests: checksumsSchema.optional(),
  verified: z.enum(VERIFIED),
})

/**
 * Proofs beside the data, at `.dataferry/marks/<key>`: for large objects whose checksum was unknown when their upload began,
 * which is when object metadata must be given. Kept until the item's outcome is on record.
 */
export class S3Marks {
  readonly #bucket: Bucket
  readonly #encryption: Encryption

  constructor(bucket: Bucket, encryption: Encryption) {
    this.#bucket = bucket
    this.#encryption = encryption
  }

  async write(key: string, write: string, { checksum, digests, verified }: Proof): Promise<void> {
    const mark = Buffer.from(`${JSON.stringify({ v: 1, write, checksum, digests, verified })}\n`)
    await this.#bucket.put(this.#object(key), mark, { headers: this.#encryption })
  }

  /** The proof that `key` left for exactly this object; undefined: none. */
  async find(key: string, head: Head, signal: AbortSignal): Promise<Proof | undefined> {
    const found = await this.#bucket.get(this.#object(key), undefined, signal)
    const mark = found && markSchema.safeParse(parseJson((await bytesOf(found)).toString()))
    if (!mark?.success || mark.data.write !== writeOf(head)) return undefined
    const { checksum, digests, verified } = mark.data
    return { checksum, ...(digests && { digests }), verified, size: head.size, key }
  }

  async remove(key: string): Promise<void> {
    await this.#bucket.delete(this.#object(key))
  }

  #object(key: string): string {
    return this.#bucket.location.ownKey(`marks/${key}`)
  }
}
