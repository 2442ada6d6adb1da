import type { Readable } from 'node:stream'
import { LRUCache } from 'lru-cache'
import { DataferryError } from '../../errors.ts'
import { newOwner, ownProcess, type ProcessIdentity } from '../../process/process-identity.ts'
import { checkKey, isHidden } from '../names.ts'
import {
  abandonedUploads,
  abortAbandoned,
  abortRecorded,
  type AbandonedTerms,
  type AbandonedUpload,
} from './abandoned-uploads.ts'
import { Bucket, type Condition } from './bucket.ts'
import { UploadClaim, type ClaimTerms } from './upload-claim.ts'
import { createClient, storageClassOf, type S3Options } from './client.ts'
import { copyObject } from './copy-object.ts'
import { ByteBudget, PartBuffers } from './part-buffers.ts'
import { layoutFor, partsHeld } from './part-layout.ts'
import { parseLocation } from './location.ts'
import { S3Marks } from './marks.ts'
import { encryptionOf, keyOf, proofOf } from './metadata.ts'
import { S3Records } from './records.ts'
import { S3Stage } from './stage.ts'
import { Uploads } from './uploads.ts'
import { putWhole } from './whole-object.ts'
import type { Committed, Linked, Records, Sink, Stage, StageOptions, Statement } from '../sink.ts'

export type { AbandonedUpload } from './abandoned-uploads.ts'
export type { S3Options } from './client.ts'

const DEFAULT_MEMORY = 128 << 20
const DEFAULT_LEASE_MS = 60_000
/** What is remembered per key, so that a small file costs no unnecessary request. */
const REMEMBERED_KEYS = 10_000

/**
 * Opens `s3://bucket/prefix` and makes sure that the bucket exists and can be listed. The caller closes the sink.
 * Rejects with `CONFIG_INVALID`, or the `SINK_…` code of what is wrong with the bucket.
 * @param identity the owner of claims; default: this process
 */
export async function openS3Sink(url: string, options: S3Options = {}, identity?: ProcessIdentity): Promise<S3Sink> {
  const location = parseLocation(url)
  const client = await createClient(options)
  const bucket = new Bucket(client, location, encryptionOf(options))
  try {
    await bucket.look(location.ownKey(''))
    const owner = newOwner(identity ?? (await ownProcess()))
    return new S3Sink(bucket, options, { owner, leaseMs: options.leaseMs ?? DEFAULT_LEASE_MS })
  } catch (error) {
    client.destroy()
    throw error
  }
}

/** A bucket, or a prefix in it, as a sink. */
export class S3Sink implements Sink {
  readonly url: string
  readonly needsHashState = true
  readonly records: Records
  readonly #bucket: Bucket
  readonly #uploads: Uploads
  readonly #marks: S3Marks
  readonly #options: S3Options
  readonly #terms: ClaimTerms & AbandonedTerms
  readonly #budget: ByteBudget
  /** Stages that are open or being opened, by key. */
  readonly #stages = new Map<string, Promise<Stage>>()
  /** What `stat` saw last, for the stage that follows. */
  readonly #seen = new LRUCache<string, NonNullable<Condition>>({ max: REMEMBERED_KEYS })
  /** Keys that certainly left nothing in the bucket. */
  readonly #clean = new LRUCache<string, true>({ max: REMEMBERED_KEYS })

  constructor(bucket: Bucket, options: S3Options, lease: Pick<ClaimTerms, 'owner' | 'leaseMs'>) {
    const uploads = new Uploads(bucket)
    const encryption = encryptionOf(options)
    const abort = (path: string, uploadId: string) => uploads.abort(bucket.location.objectKey(path), uploadId)
    this.url = bucket.location.url
    this.records = new S3Records(bucket, uploads, encryption)
    this.#bucket = bucket
    this.#uploads = uploads
    this.#marks = new S3Marks(bucket, encryption)
    this.#options = options
    this.#terms = { ...lease, encryption, abort, bucket, uploads, isOpen: (key) => this.#stages.has(key) }
    this.#budget = new ByteBudget(options.memory ?? DEFAULT_MEMORY)
  }

  async stat(path: string, key: string, signal: AbortSignal): Promise<Committed | undefined> {
    const head = await this.#bucket.head(this.#bucket.location.objectKey(path), signal)
    this.#seen.set(key, head ? { etag: head.etag } : 'absent')
    if (!head) return undefined
    const proof = proofOf(head) ?? (await this.#marks.find(key, head, signal))
    return { size: head.size, proof, key: keyOf(head) }
  }

  async read(path: string, signal: AbortSignal): Promise<Readable> {
    const object = this.#bucket.location.objectKey(path)
    const found = await this.#bucket.get(object, undefined, signal)
    if (!found) throw new DataferryError('SINK_FAILED', `${this.#bucket.location.urlOf(object)} does not exist.`)
    return found.body
  }

  async stage(options: StageOptions): Promise<Stage> {
    const { key, item, signal } = options
    checkKey(key)
    signal.throwIfAborted()
    const object = this.#bucket.location.objectKey(item.path)
    this.#refuseOpen(options)
    const opening = this.#openStage(options, object)
    this.#stages.set(key, opening)
    try {
      return await opening
    } catch (error) {
      this.#stages.delete(key)
      throw error
    }
  }

  async put(options: StageOptions, bytes: Uint8Array, statement: Statement): Promise<void> {
    const { key, signal } = options
    checkKey(key)
    signal.throwIfAborted()
    this.#refuseOpen(options)
    const place = { bucket: this.#bucket, options: this.#options, condition: this.#takeSeen(key) }
    await putWhole(place, options, bytes, statement)
    this.#clean.set(key, true)
  }

  async forget(key: string): Promise<void> {
    checkKey(key)
    this.#seen.delete(key)
    if (this.#clean.delete(key)) return
    await abortRecorded(this.#terms, key)
    await this.#marks.remove(key)
  }

  async move(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    const found = (await this.link(from, to, signal)) !== undefined
    if (found && from !== to) await this.remove(from)
    return found
  }

  async link(from: string, to: string, signal: AbortSignal): Promise<Linked | undefined> {
    const { location } = this.#bucket
    const [source, target] = [location.objectKey(from), location.objectKey(to)]
    const head = await this.#bucket.head(source, signal)
    if (!head) return undefined
    if (source === target) return 'linked'
    const { storageClass } = this.#options
    const headers = {
      ...encryptionOf(this.#options),
      ...(storageClass !== undefined && { StorageClass: storageClassOf(storageClass) }),
    }
    await copyObject(this.#bucket, this.#uploads, { source, target, head }, headers, signal)
    return 'linked'
  }

  async remove(place: string): Promise<void> {
    await this.#bucket.delete(this.#bucket.location.objectKey(place))
  }

  async *list(signal: AbortSignal, below?: string): AsyncGenerator<{ readonly path: string; readonly size: number }> {
    const { prefix } = this.#bucket.location
    for await (const { key, size } of this.#bucket.list(below === undefined ? prefix : `${prefix}${below}/`, signal)) {
      const path = key.slice(prefix.length)
      // A key that ends in a slash is a folder placeholder of some tool, not a file.
      if (!isHidden(path, below) && !path.endsWith('/')) yield { path, size }
    }
  }

  async check(): Promise<void> {
    await this.#bucket.check()
  }

  free(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  /** Uploads left by processes that ended or crashed. */
  abandonedUploads(
    signal: AbortSignal,
    isMeant: (key: string) => boolean = () => true,
  ): AsyncIterable<AbandonedUpload> {
    return abandonedUploads(this.#terms, isMeant, signal)
  }

  async sweep(signal: AbortSignal, isMeant?: (key: string) => boolean): Promise<number> {
    let count = 0
    for await (const upload of this.abandonedUploads(signal, isMeant)) {
      await abortAbandoned(this.#terms, upload)
      if (upload.uploadId !== undefined) count++
    }
    return count
  }

  async close(): Promise<void> {
    for (const opening of this.#stages.values()) {
      const stage = await opening.catch(() => undefined)
      await stage?.[Symbol.asyncDispose]()
    }
    this.#bucket.client.destroy()
  }

  async #openStage(options: StageOptions, object: string): Promise<Stage> {
    const { key, item, signal } = options
    const { partSize } = this.#options
    const takeClaim = () => UploadClaim.take(this.#bucket, key, item, this.#terms, signal)
    const { size } = item.expect
    const fits = size !== undefined && size <= layoutFor(size, partSize).partSize
    return new S3Stage(options, object, {
      bucket: this.#bucket,
      uploads: this.#uploads,
      marks: this.#marks,
      buffers: new PartBuffers(this.#budget, partsHeld(size, this.#options)),
      claim: fits ? undefined : await takeClaim(),
      takeClaim,
      condition: this.#takeSeen(key),
      options: this.#options,
      onClosed: (clean) => {
        this.#stages.delete(key)
        if (clean) this.#clean.set(key, true)
      },
    })
  }

  #refuseOpen({ key, item: { path } }: StageOptions): void {
    if (this.#stages.has(key))
      throw new DataferryError('SINK_BUSY', `${path} is already being written by this process.`)
  }

  #takeSeen(key: string): Condition {
    const seen = this.#seen.get(key)
    this.#seen.delete(key)
    return seen
  }
}
