import { DataferryError } from '../../errors.ts'
import type { Hash } from '../../model/hash.ts'
import type { PartBuffer, PartBuffers } from './part-buffers.ts'
import type { UploadClaim } from './upload-claim.ts'
import { bytesBefore, bytesOfPart, MAX_PARTS, type PartLayout } from './part-layout.ts'
import { addEtag, type UploadState } from './upload-record.ts'
import type { Part, Uploads } from './uploads.ts'

export interface UploadPlace {
  readonly uploads: Uploads
  readonly claim: UploadClaim
  readonly buffers: PartBuffers
  /** Object key. */
  readonly object: string
  readonly signal: AbortSignal
  /** Parts that may be held, and lost in a crash. */
  readonly held: number
}

export type UploadIdentity = Pick<UploadState, 'uploadId' | 'write' | 'stated' | 'layout'>

/** A part border and the hash just after it: worth saving once all parts before it are stored. */
interface Border {
  readonly parts: number
  readonly at: number
  readonly hash: NonNullable<UploadState['hash']>
  readonly tail: Buffer
}

/**
 * One open multipart upload. A part is *sent* (in flight), then *stored* (the store answered), and its
 * border is *saved* once everything before it is stored and the claim's record says so: after a crash the upload resumes there.
 * Failures of parts in flight are kept and thrown by the next call.
 */
export class MultipartUpload {
  readonly identity: UploadIdentity
  readonly #place: UploadPlace
  readonly #stored: (Part | undefined)[]
  /** Digests of the ETags of the first 0, 1, 2 … parts, up to the first gap. */
  readonly #digests: string[] = ['']
  /** Parts, and states of the hash, on their way. */
  readonly #pending = new Set<Promise<void>>()
  #sent: number
  #borders: Border[] = []
  /** Bytes before the newest saved border. */
  #saved: number
  /** Whether borders are saved at all. */
  #saves = false
  #saving: Promise<void> | undefined
  #failure: Error | undefined

  /**
   * @param stored parts 1, 2 … that the store already holds
   * @param saved the byte from which a crash would resume
   */
  constructor(place: UploadPlace, identity: UploadIdentity, stored: readonly Part[], saved: number) {
    this.identity = identity
    this.#place = place
    this.#stored = [...stored]
    this.#sent = stored.length
    this.#saved = saved
    this.#extendDigests()
  }

  get layout(): PartLayout {
    return this.identity.layout
  }

  /** Bytes sent so far. */
  get bytes(): number {
    return bytesBefore(this.layout, this.#sent)
  }

  /** Size of the next part. */
  get nextPartSize(): number {
    return bytesOfPart(this.layout, this.#sent + 1)
  }

  get etags(): string {
    return this.#digests.at(-1) ?? ''
  }

  /** Sends a part and returns its buffer once it is stored. */
  send(buffer: PartBuffer): void {
    const number = ++this.#sent
    const { uploads, buffers, object, signal } = this.#place
    if (number > MAX_PARTS)
      throw new DataferryError('SINK_FAILED', `${object} needs more than ${MAX_PARTS} parts: use a larger part size.`)
    this.#track(
      uploads.send(object, this.identity.uploadId, number, buffer.content, signal).then((part) => {
        this.#stored[number - 1] = part
        this.#extendDigests()
        buffers.put(buffer)
        this.#saveNewest()
      }),
    )
  }

  /**
   * Notes that the hash stands at `at`, just after a border, with `tail` being gathered; it is saved when it can be, and nobody
   * waits for that. Does nothing with a hash whose state cannot be saved: such an upload begins again after a crash.
   */
  border(at: number, tail: Buffer, hash: Hash): void {
    const border = { parts: this.#sent, at, tail: Buffer.from(tail) }
    this.#track(
      hash.save().then((state) => {
        if (!state) return
        const saved = { algorithm: hash.algorithm, state: Buffer.from(state).toString('base64') }
        this.#saves = true
        this.#borders.push({ ...border, hash: saved })
        this.#saveNewest()
      }),
    )
  }

  /** Waits while a crash after the bytes before `at` would cost too much, as far as waiting helps. */
  async admit(at: number): Promise<void> {
    const limit = this.nextPartSize * this.#place.held
    while (this.#saves && at - this.#saved > limit && this.#isBusy) await this.oneStep()
  }

  /** Waits until a part is stored or a border saved. Rejects with what failed. */
  async oneStep(): Promise<void> {
    this.throwIfFailed()
    const steps = [...this.#pending, ...(this.#saving ? [this.#saving] : [])]
    if (steps.length > 0) await Promise.race(steps)
    this.throwIfFailed()
  }

  /** Waits for everything in flight; never rejects. */
  async settle(): Promise<void> {
    while (this.#isBusy) await Promise.all([...this.#pending, this.#saving])
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure
  }

  /** Every part, once all are stored. Rejects with what failed. */
  async parts(): Promise<Part[]> {
    await this.settle()
    this.throwIfFailed()
    return this.#stored.filter((part) => part !== undefined)
  }

  get #isBusy(): boolean {
    return this.#pending.size > 0 || this.#saving !== undefined
  }

  #extendDigests(): void {
    for (;;) {
      const next = this.#stored[this.#digests.length - 1]
      if (!next) return
      this.#digests.push(addEtag(this.etags, next.etag))
    }
  }

  /** Saves the newest border whose parts are all stored; one save at a time, skipping older borders. */
  #saveNewest(): void {
    if (this.#saving || this.#failure) return
    const reached = this.#borders.findLastIndex(({ parts }) => parts < this.#digests.length)
    const border = this.#borders[reached]
    if (!border) return
    this.#borders = this.#borders.slice(reached + 1)
    const { tail, parts, at, hash } = border
    const etags = this.#digests[parts] ?? ''
    this.#saving = this.#place.claim.save({ ...this.identity, parts, etags, at, hash, tail }).then(
      () => {
        this.#saved = at
        this.#endSave()
      },
      (error: unknown) => {
        this.#fail(error)
        this.#endSave()
      },
    )
  }

  #endSave(): void {
    this.#saving = undefined
    this.#saveNewest()
  }

  #track(work: Promise<void>): void {
    const tracked = work.catch((error: unknown) => this.#fail(error))
    this.#pending.add(tracked)
    void tracked.then(() => this.#pending.delete(tracked))
  }

  #fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error))
  }
}
