import { randomUUID } from 'node:crypto'
import { DataferryError } from '../../errors.ts'
import { sameChecksum } from '../../model/checksum.ts'
import type { Hash } from '../../model/hash.ts'
import type { Bucket, Condition } from './bucket.ts'
import type { PartBuffer, PartBuffers } from './part-buffers.ts'
import type { UploadClaim } from './upload-claim.ts'
import type { S3Options } from './client.ts'
import { bytesBefore, layoutFor, partsHeld } from './part-layout.ts'
import type { S3Marks } from './marks.ts'
import { headersOf, writeOf } from './metadata.ts'
import { MultipartUpload, type UploadIdentity } from './multipart-upload.ts'
import { addEtag, type UploadState } from './upload-record.ts'
import type { Part, Uploads } from './uploads.ts'
import { putWhole, unlessOurs } from './whole-object.ts'
import type { Proof, Stage, StageOptions, Statement } from '../sink.ts'

export interface StageParts {
  readonly bucket: Bucket
  readonly uploads: Uploads
  readonly marks: S3Marks
  readonly buffers: PartBuffers
  /** Undefined for what should fit into one part: it is published whole, so two writers cannot mix. */
  readonly claim: UploadClaim | undefined
  /** Takes the claim when more arrives than was announced. */
  readonly takeClaim: () => Promise<UploadClaim>
  /** What was seen at the path before; the commit replaces only that. */
  readonly condition: Condition
  readonly options: S3Options
  /** Called once, when the stage is done with its key. @param clean nothing of the key is left in the bucket */
  readonly onClosed: (clean: boolean) => void
}

/**
 * - *gathering*: bytes are in one buffer; most files stay here, and commit is one `PutObject`
 * - *uploading*: more than one part arrived; full parts are sent while the next is gathered, borders are saved as they are reached
 * - *committed*: the object is visible; the claim's record is gone
 * - *closed*: nothing is held in memory; an open upload stays for the next stage of the key
 *
 * `restart`, and a `resume` that finds nothing it can trust, abort the upload and lead back to *gathering*.
 */
export class S3Stage implements Stage {
  readonly #options: StageOptions
  readonly #object: string
  readonly #parts: StageParts
  #buffer: PartBuffer | undefined
  #upload: MultipartUpload | undefined
  #claim: UploadClaim | undefined
  #committed = false
  #closed = false
  /** Something of this key remains in the bucket beside the object. */
  #leaves = false

  constructor(options: StageOptions, object: string, parts: StageParts) {
    this.#options = options
    this.#object = object
    this.#parts = parts
    this.#claim = parts.claim
  }

  async resume(hash: Hash, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted()
    await this.#dropMemory()
    const claim = this.#claim
    const held = claim?.upload
    const parts = held && (await this.#confirmed(held, signal))
    if (!held || !parts || !(await loadState(held, hash))) {
      await hash.reset()
      return await this.restart()
    }
    this.#upload = this.#open(claim, held, parts, held.at)
    await this.#add(held.tail)
    return held.at
  }

  async restart(): Promise<0> {
    await this.#dropMemory()
    const claim = this.#claim
    if (claim?.upload) {
      // In this order, a crash in between leaves no upload without a record.
      await this.#parts.uploads.abort(this.#object, claim.upload.uploadId)
      await claim.save(undefined)
    }
    return 0
  }

  async append(chunks: AsyncIterable<Uint8Array>, hash: Hash, signal: AbortSignal): Promise<void> {
    try {
      for await (const chunk of chunks) {
        signal.throwIfAborted()
        const sent = this.#upload?.bytes
        await this.#add(chunk)
        if (!this.#upload) continue
        if (this.#upload.bytes !== sent) this.#noteBorder(this.#upload, hash)
        // Chunks are similar in size, so the next one is requested once losing one more like this is acceptable.
        await this.#upload.admit(this.#size + chunk.byteLength)
      }
    } finally {
      // Parts in flight are worth keeping, and their failures belong to this call.
      await this.#upload?.settle()
    }
    this.#upload?.throwIfFailed()
  }

  async commit(proof: Proof): Promise<void> {
    if (this.#committed) throw new DataferryError('SINK_FAILED', `${this.#options.item.path} is already committed.`)
    if (this.#size !== proof.size)
      throw new DataferryError(
        'SINK_FAILED',
        `${this.#options.item.path} has ${this.#size} bytes here but ${proof.size} in its proof.`,
      )
    if (this.#upload) await this.#complete(this.#upload, proof)
    else {
      await this.#claim?.confirm()
      await this.#putWhole(proof)
    }
    this.#committed = true
    // The object is committed whatever happens to the record, which `forget` removes as well.
    await this.#claim?.remove().catch(() => (this.#leaves = true))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#dropMemory()
    this.#parts.buffers.close()
    // A claim that cannot be released now is free when its lease expires.
    if (!this.#committed) await this.#claim?.release().catch(() => undefined)
    this.#parts.onClosed((this.#committed || this.#claim === undefined) && !this.#leaves)
  }

  /** Bytes sent or gathered. */
  get #size(): number {
    return (this.#upload?.bytes ?? 0) + (this.#buffer?.length ?? 0)
  }

  /** Adds bytes; a full buffer is sent when the next byte comes, so that exactly one part stays one `PutObject`. */
  async #add(chunk: Uint8Array): Promise<void> {
    let rest = chunk
    while (rest.byteLength > 0) {
      const buffer = await this.#roomy()
      rest = rest.subarray(buffer.add(rest))
    }
  }

  async #roomy(): Promise<PartBuffer> {
    const full = this.#buffer
    if (full && !full.isFull) return full
    const { buffers, options } = this.#parts
    const { size } = this.#options.item.expect
    const whole = layoutFor(size, options.partSize).partSize
    if (!full)
      return (this.#buffer = await this.#emptyBuffer(this.#upload?.nextPartSize ?? Math.min(whole, size || whole)))
    if (!this.#upload && full.capacity < whole) {
      buffers.grow(full, whole)
      return full
    }
    this.#upload ??= await this.#begin()
    this.#upload.send(full)
    this.#buffer = undefined
    return (this.#buffer = await this.#emptyBuffer(this.#upload.nextPartSize))
  }

  async #emptyBuffer(capacity: number): Promise<PartBuffer> {
    const upload = this.#upload
    return await this.#parts.buffers.get(capacity, this.#options.signal, async () => await upload?.oneStep())
  }

  async #begin(): Promise<MultipartUpload> {
    const { uploads, options } = this.#parts
    const { item, key, signal } = this.#options
    const claim = (this.#claim ??= await this.#parts.takeClaim())
    const write = randomUUID()
    const statement = claim.unstated ? undefined : expected(this.#options)
    const uploadId = await uploads.create(this.#object, headersOf(item, { key, write }, options, statement), signal)
    const layout = layoutFor(item.expect.size, options.partSize)
    const identity = { uploadId, write, stated: statement !== undefined, layout }
    await claim.save({ ...identity, parts: 0, etags: '', at: 0, tail: new Uint8Array() })
    return this.#open(claim, identity, [], 0)
  }

  #open(
    claim: UploadClaim,
    { uploadId, write, stated, layout }: UploadIdentity,
    stored: readonly Part[],
    at: number,
  ): MultipartUpload {
    const { uploads, buffers, options } = this.#parts
    const held = partsHeld(this.#options.item.expect.size, options)
    const place = { uploads, claim, buffers, object: this.#object, signal: this.#options.signal, held }
    return new MultipartUpload(place, { uploadId, write, stated, layout }, stored, at)
  }

  #noteBorder(upload: MultipartUpload, hash: Hash): void {
    const tail = this.#buffer?.content ?? Buffer.alloc(0)
    upload.border(upload.bytes + tail.length, tail, hash)
  }

  /** The parts of a saved state, if the store still holds exactly these. */
  async #confirmed(held: UploadState, signal: AbortSignal): Promise<Part[] | undefined> {
    const there = await this.#parts.uploads.parts(this.#object, held.uploadId, signal)
    const parts = there?.slice(0, held.parts) ?? []
    const inOrder = parts.every((part, i) => part.number === i + 1)
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    const etags = parts.reduce((digest, part) => addEtag(digest, part.etag), '')
    const agree = inOrder && parts.length === held.parts && etags === held.etags
    return agree && size === bytesBefore(held.layout, held.parts) && size + held.tail.byteLength === held.at
      ? parts
      : undefined
  }

  async #putWhole(proof: Proof): Promise<void> {
    const { bucket, options, condition } = this.#parts
    await putWhole({ bucket, options, condition }, this.#options, this.#buffer?.content ?? new Uint8Array(), proof)
  }

  async #complete(upload: MultipartUpload, proof: Proof): Promise<void> {
    const { uploads, marks, condition } = this.#parts
    const { write, uploadId, stated } = upload.identity
    if (stated && !isExpected(this.#options, proof)) await this.#beginUnstated()
    if (this.#buffer && this.#buffer.length > 0) upload.send(this.#buffer)
    this.#buffer = undefined
    const parts = await upload.parts()
    if (!stated) await marks.write(this.#options.key, write, proof)
    this.#leaves = !stated
    await this.#claim?.confirm()
    try {
      const end = await uploads.complete(this.#object, uploadId, parts, condition)
      if (end !== 'done') await this.#refused(write, end)
    } catch (error) {
      await unlessOurs(this.#parts.bucket, this.#options.item, write, error)
    }
  }

  /** Nothing of an upload that the store does not complete is worth keeping, unless it had already been completed. */
  async #refused(write: string, end: 'gone' | 'changed'): Promise<void> {
    const there = await this.#parts.bucket.head(this.#object)
    if (there && writeOf(there) === write) return
    await this.restart()
    const what = end === 'gone' ? 'was aborted by another program' : 'has parts that another program changed'
    throw new DataferryError('SINK_FAILED', `The upload of ${this.#options.item.path} ${what}: it starts over.`)
  }

  /** Metadata is given when an upload begins. An upload that would state a wrong checksum is never completed. */
  async #beginUnstated(): Promise<never> {
    await this.restart()
    await this.#claim?.save(undefined, true)
    throw new DataferryError(
      'SINK_FAILED',
      `The bytes of ${this.#options.item.path} are right but do not have the published checksum: they are fetched again to be stored without it.`,
    )
  }

  async #dropMemory(): Promise<void> {
    await this.#upload?.settle()
    this.#upload = undefined
    this.#buffer = undefined
    this.#parts.buffers.reclaim()
  }
}

/** What an item's object may state if its bytes have the published checksum. */
function expected({ item }: StageOptions): Statement | undefined {
  const { checksum } = item.expect
  return checksum && { checksum, verified: 'checksum' }
}

function isExpected({ item }: StageOptions, { checksum, verified }: Proof): boolean {
  return verified === 'checksum' && item.expect.checksum !== undefined && sameChecksum(checksum, item.expect.checksum)
}

async function loadState({ hash: saved }: UploadState, hash: Hash): Promise<boolean> {
  if (saved?.algorithm !== hash.algorithm) return false
  return await hash.load(Buffer.from(saved.state, 'base64'))
}
