import { every, type Repeated } from '../../async/every.ts'
import { DataferryError } from '../../errors.ts'
import type { Item } from '../../model/item.ts'
import { ownerLiveness, type OwnerId } from '../../process/process-identity.ts'
import { bytesOf, ConditionFailed, type Bucket, type Condition, type Encryption } from './bucket.ts'
import { decodeRecord, encodeRecord, isAbout, type UploadRecord, type UploadState } from './upload-record.ts'

/** Folder of upload records, below `.dataferry/`. */
export const PARTS = 'parts'

export interface ClaimTerms {
  readonly owner: OwnerId
  /** A claim not renewed for this long may be taken over. */
  readonly leaseMs: number
  readonly encryption: Encryption
  /** Frees an upload that cannot be continued. */
  readonly abort: (path: string, uploadId: string) => Promise<void>
}

/**
 * The right to write one key, kept as an object `.dataferry/parts/<key>` that also records the progress of its upload.
 *
 * - *free*: no record, a released one, one whose process is proven dead, or one not renewed for `leaseMs` by the store's clock
 * - *held*: written by us, with `If-None-Match` or `If-Match` on what we saw; renewed at each part border and by a timer
 * - *lost*: a renewal found another's record; every later call rejects with `SINK_BUSY`
 * - *released*: disposed with an upload that can be resumed · *removed*: nothing is left to resume
 *
 * How two writers of one upload are kept apart, even if the first was only frozen: the second takes over the same upload, and
 * each completes it with the ETag of every part it verified. So the first to complete publishes bytes with the promised
 * checksum, the other is told that the upload is gone, and parts that were changed in between are refused. Without a published
 * checksum nothing is resumed: the second aborts the upload and begins its own, and the first one's is gone.
 * A store without conditional writes is read back after a take instead, which leaves a narrow gap; the rest holds.
 */
export class UploadClaim {
  readonly #bucket: Bucket
  readonly #object: string
  readonly #terms: ClaimTerms
  #record: UploadRecord
  #etag: string
  #writing: Promise<void> = Promise.resolve()
  #lost: DataferryError | undefined
  #renewing: Repeated | undefined

  private constructor(bucket: Bucket, object: string, terms: ClaimTerms, record: UploadRecord, etag: string) {
    this.#bucket = bucket
    this.#object = object
    this.#terms = terms
    this.#record = record
    this.#etag = etag
  }

  /** Takes the claim. Rejects with `SINK_BUSY` while another writer holds it. */
  static async take(
    bucket: Bucket,
    key: string,
    item: Item,
    terms: ClaimTerms,
    signal: AbortSignal,
  ): Promise<UploadClaim> {
    const object = recordKey(bucket, key)
    const found = await readRecord(bucket, object, signal)
    if (found && !(await isFree(found, terms, bucket))) throw busy(item.path)
    const record = recordFor(item, { owner: terms.owner, since: bucket.now() }, found?.record)
    try {
      const claim = new UploadClaim(bucket, object, terms, record, '')
      await claim.#put(found ? { etag: found.etag } : 'absent')
      if (!bucket.conditions) await claim.#readBack()
      const stale = found?.record?.upload
      if (found?.record && stale && !record.upload) await terms.abort(found.record.path, stale.uploadId)
      claim.#renewByTimer()
      return claim
    } catch (error) {
      throw error instanceof ConditionFailed ? busy(item.path) : error
    }
  }

  /** The state of the upload at the last saved border; undefined: none. */
  get upload(): UploadState | undefined {
    return this.#record.upload
  }

  /** Whether the next upload must not state the published checksum in advance. */
  get unstated(): boolean {
    return this.#record.unstated
  }

  /** Saves a new state; durable when it resolves. Rejects with `SINK_BUSY` when the claim is lost. */
  async save(upload: UploadState | undefined, unstated = this.unstated): Promise<void> {
    await this.#write((record) => ({ ...record, upload, unstated }))
  }

  /** Makes sure that the claim is still ours. Rejects with `SINK_BUSY`. */
  async confirm(): Promise<void> {
    await this.#write((record) => record)
  }

  /** Gives up the claim; the upload stays for the next writer; a record without one is removed. */
  async release(): Promise<void> {
    await this.#renewing?.stop()
    await this.#writing
    if (this.#lost) return
    if (this.#record.upload || this.#record.unstated) await this.#write((record) => ({ ...record, released: true }))
    else await this.#bucket.delete(this.#object)
  }

  /** Removes the record: the upload is completed. */
  async remove(): Promise<void> {
    await this.#renewing?.stop()
    await this.#writing
    if (!this.#lost) await this.#bucket.delete(this.#object)
  }

  /** One write at a time, in order, each changing what the one before it left. */
  #write(change: (record: UploadRecord) => UploadRecord): Promise<void> {
    const written = this.#writing.then(async () => {
      if (this.#lost) throw this.#lost
      this.#record = change(this.#record)
      try {
        await this.#put({ etag: this.#etag })
      } catch (error) {
        throw error instanceof ConditionFailed ? this.#lose() : error
      }
    })
    this.#writing = written.catch(() => undefined)
    return written
  }

  async #put(condition: Condition): Promise<void> {
    const options = { headers: this.#terms.encryption, condition }
    try {
      this.#etag = await this.#bucket.put(this.#object, encodeRecord(this.#record), options)
    } catch (error) {
      if (!(error instanceof ConditionFailed)) throw error
      // The answer to our own write may have been lost, and its repetition refused.
      await this.#readBack()
    }
  }

  async #readBack(): Promise<void> {
    const there = await readRecord(this.#bucket, this.#object)
    if (there?.record?.owner !== this.#terms.owner) throw new ConditionFailed('s3:PutObject')
    this.#etag = there.etag
  }

  #renewByTimer(): void {
    // A missed renewal can only cost this process its claim, as the next call will find.
    this.#renewing = every(
      this.#terms.leaseMs / 3,
      () => this.confirm(),
      () => undefined,
    )
  }

  #lose(): DataferryError {
    void this.#renewing?.stop()
    this.#lost = busy(this.#record.path)
    return this.#lost
  }
}

export interface FoundRecord {
  /** Undefined: not readable by this version. */
  readonly record: UploadRecord | undefined
  readonly etag: string
  readonly modified: Date
}

export function recordKey(bucket: Bucket, key: string): string {
  return bucket.location.ownKey(`${PARTS}/${key}`)
}

export async function readRecord(
  bucket: Bucket,
  object: string,
  signal?: AbortSignal,
): Promise<FoundRecord | undefined> {
  const found = await bucket.get(object, undefined, signal)
  if (!found) return undefined
  return { record: decodeRecord(await bytesOf(found)), etag: found.etag, modified: found.modified }
}

/** Whether the writer of a record has ended, or not renewed it for too long. A sink tells its own stages apart itself. */
export async function isFree(
  { record, modified }: FoundRecord,
  { owner, leaseMs }: Pick<ClaimTerms, 'owner' | 'leaseMs'>,
  bucket: Bucket,
): Promise<boolean> {
  if (record && (record.released || record.owner === owner)) return true
  if (bucket.now() - modified.getTime() >= leaseMs) return true
  return record !== undefined && (await ownerLiveness(record.owner)) === 'dead'
}

/** Continues the upload of an earlier owner only if it is for the same bytes. */
function recordFor(
  item: Item,
  holder: Pick<UploadRecord, 'owner' | 'since'>,
  earlier: UploadRecord | undefined,
): UploadRecord {
  const goesOn = earlier && isAbout(earlier, item)
  return {
    v: 1,
    ...holder,
    released: false,
    path: item.path,
    size: item.expect.size,
    checksum: item.expect.checksum,
    unstated: goesOn ? earlier.unstated : false,
    upload: goesOn ? earlier.upload : undefined,
  }
}

function busy(path: string): DataferryError {
  return new DataferryError(
    'SINK_BUSY',
    `Another process is writing ${path}: dataferry waits for it and checks its result.`,
  )
}
