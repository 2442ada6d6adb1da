import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  type PutObjectCommandOutput,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Readable } from 'node:stream'
import { DataferryError } from '../../errors.ts'
import {
  isDenied,
  isMissing,
  isPreconditionFailed,
  isUnsupported,
  notEncrypted,
  statusOf,
  toSinkError,
} from './errors.ts'
import type { Location } from './location.ts'
import { LONGEST_RECORD } from '../sink.ts'

/** Features of the store that a write requests, and what an answer says about them. */
export type WriteFeatures = Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'StorageClass'>

/** Condition of a write; undefined: none. */
export type Condition = { readonly etag: string } | 'absent' | undefined

/** Headers of an object that is written. */
export type ObjectHeaders = Pick<
  PutObjectCommandInput,
  | 'ContentType'
  | 'ContentDisposition'
  | 'ContentMD5'
  | 'ChecksumSHA1'
  | 'ChecksumSHA256'
  | 'Metadata'
  | 'StorageClass'
  | 'ServerSideEncryption'
  | 'SSEKMSKeyId'
>

export type Encryption = Pick<ObjectHeaders, 'ServerSideEncryption' | 'SSEKMSKeyId'>

export interface PutOptions {
  readonly headers?: ObjectHeaders
  readonly condition?: Condition
  readonly signal?: AbortSignal | undefined
}

export interface Head {
  readonly size: number
  readonly etag: string
  readonly metadata: Readonly<Record<string, string>>
}

export interface Found {
  readonly body: Readable
  readonly etag: string
  readonly modified: Date
}

const READS: readonly string[] = [
  's3:GetObject',
  's3:ListBucket',
  's3:ListBucketMultipartUploads',
  's3:ListMultipartUploadParts',
]

/** A conditional write was refused: another object is there. */
export class ConditionFailed extends Error {}

/** The objects of one bucket, in a few plain calls. Every method rejects with `SINK_…` codes or the signal's reason. */
export class Bucket {
  readonly client: S3Client
  readonly location: Location
  /** False once the store turned out not to support `If-Match` and `If-None-Match` on writes. */
  conditions = true
  /** False once the store turned out not to support checksum headers. */
  #checksums = true
  /** Store's clock minus ours, from the last answer. */
  #clockOffsetMs = 0
  readonly #encryption: Encryption
  #checking: Promise<void> | undefined

  /** @param encryption of everything that is written, as a store may refuse to write without it */
  constructor(client: S3Client, location: Location, encryption: Encryption) {
    this.client = client
    this.location = location
    this.#encryption = encryption
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args)
        this.#setClock(result.response)
        return result
      },
      { step: 'deserialize', name: 'dataferryClock', override: true },
    )
  }

  /** Milliseconds since 1970 by the store's clock, exact to a second or two. */
  now(): number {
    return Date.now() + this.#clockOffsetMs
  }

  /** Runs one SDK call and translates its errors. @param features what a write requests */
  async call<T>(
    action: string,
    key: string,
    signal: AbortSignal | undefined,
    run: () => Promise<T>,
    features: WriteFeatures = {},
  ): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (isPreconditionFailed(error)) throw new ConditionFailed(action)
      const { ServerSideEncryption: encryption, StorageClass: storageClass } = features
      // A refusal within `.dataferry/` is no item's fault, even if other objects can be written.
      const essential = key.startsWith(this.location.ownKey('')) && isDenied(error)
      const known = toSinkError(error, { action, where: this.location.urlOf(key), encryption, storageClass, essential })
      throw await this.#explain(known, READS.includes(action))
    }
  }

  /** Writes an empty object and deletes it. Rejects with `SINK_UNAVAILABLE` or `SINK_FULL`. Concurrent callers share one test. */
  async check(): Promise<void> {
    this.#checking ??= this.#tryWriting().finally(() => (this.#checking = undefined))
    await this.#checking
  }

  /** What fails for one object may fail for all. The error does not say which, so the same is tried where it must succeed. */
  async #explain(error: DataferryError, reading: boolean): Promise<unknown> {
    if (error.code !== 'SINK_DENIED' && error.code !== 'SINK_FAILED') return error
    try {
      await (reading ? this.#tryReading() : this.check())
    } catch (whole) {
      return whole
    }
    return error
  }

  async #tryWriting(): Promise<void> {
    const object = { Bucket: this.location.bucket, Key: this.location.ownKey('probe') }
    const put = new PutObjectCommand({ ...object, Body: new Uint8Array(), ContentLength: 0, ...this.#encryption })
    await this.#essential('s3:PutObject', () => this.client.send(put))
    await this.#essential('s3:DeleteObject', () => this.client.send(new DeleteObjectCommand(object)))
  }

  async #tryReading(): Promise<void> {
    const Bucket = this.location.bucket
    const list = new ListObjectsV2Command({ Bucket, Prefix: this.location.ownKey(''), MaxKeys: 1 })
    await this.#essential('s3:ListBucket', () => this.client.send(list))
    const head = new HeadObjectCommand({ Bucket, Key: this.location.ownKey('probe') })
    await this.#essential('s3:GetObject', () => this.client.send(head))
  }

  async #essential(action: string, send: () => Promise<unknown>): Promise<void> {
    try {
      await send()
    } catch (error) {
      if (!isMissing(error)) throw toSinkError(error, { action, where: this.location.url, essential: true })
    }
  }

  /** Some stores silently ignore a request to encrypt: the answer to a `PutObject` shows it. */
  #checkEncrypted(key: string, { ServerSideEncryption: asked }: WriteFeatures, answer: WriteFeatures): void {
    if (asked !== undefined && answer.ServerSideEncryption !== asked)
      throw notEncrypted(this.location.urlOf(key), asked)
  }

  async head(key: string, signal?: AbortSignal): Promise<Head | undefined> {
    return await this.call('s3:GetObject', key, signal, async () => {
      try {
        const input = { Bucket: this.location.bucket, Key: key }
        const answer = await this.client.send(new HeadObjectCommand(input), abort(signal))
        return { size: answer.ContentLength ?? 0, etag: answer.ETag ?? '', metadata: answer.Metadata ?? {} }
      } catch (error) {
        if (isMissing(error)) return undefined
        throw error
      }
    })
  }

  /**
   * @param range bytes `from` … `to`, both inclusive
   * @returns undefined when there is no such object, or nothing of it in the range. The caller reads or destroys `body`.
   */
  async get(key: string, range?: { from: number; to?: number }, signal?: AbortSignal): Promise<Found | undefined> {
    return await this.call('s3:GetObject', key, signal, async () => {
      try {
        const Range = range && `bytes=${range.from}-${range.to ?? ''}`
        const input = { Bucket: this.location.bucket, Key: key, Range }
        const answer = await this.client.send(new GetObjectCommand(input), abort(signal))
        const body = answer.Body instanceof Readable ? answer.Body : Readable.from([])
        return { body, etag: answer.ETag ?? '', modified: answer.LastModified ?? new Date(0) }
      } catch (error) {
        if (isMissing(error) || statusOf(error) === 416) return undefined
        throw error
      }
    })
  }

  /**
   * Writes an object in one step. Rejects with `ConditionFailed`; a store without conditional writes always writes.
   * @returns its ETag
   */
  async put(key: string, body: Uint8Array, { headers = {}, condition, signal }: PutOptions = {}): Promise<string> {
    const put = async () => {
      const input = { Bucket: this.location.bucket, Key: key, Body: body, ContentLength: body.byteLength, ...headers }
      return await this.conditionally(condition, async (conditions) => {
        const answer = await this.#putChecked({ ...input, ...conditions }, signal)
        this.#checkEncrypted(key, headers, answer)
        return answer.ETag ?? ''
      })
    }
    return await this.call('s3:PutObject', key, signal, put, headers)
  }

  /** With checksums for the store to check; without them on a store that does not support them. */
  async #putChecked(input: PutObjectCommandInput, signal: AbortSignal | undefined): Promise<PutObjectCommandOutput> {
    const { ContentMD5, ChecksumSHA1, ChecksumSHA256, ...plain } = input
    const has = ContentMD5 !== undefined || ChecksumSHA1 !== undefined || ChecksumSHA256 !== undefined
    try {
      return await this.client.send(new PutObjectCommand(this.#checksums ? input : plain), abort(signal))
    } catch (error) {
      if (!has || !this.#checksums || !isUnsupported(error)) throw error
      const answer = await this.client.send(new PutObjectCommand(plain), abort(signal))
      // Only now is it certain that they were what it does not support.
      this.#checksums = false
      return answer
    }
  }

  /** Runs a write with its condition, or without if the store does not support conditions. */
  async conditionally<T>(
    condition: Condition,
    write: (conditions: { IfMatch?: string; IfNoneMatch?: string }) => Promise<T>,
  ): Promise<T> {
    if (condition === undefined || !this.conditions) return await write({})
    try {
      return await write(condition === 'absent' ? { IfNoneMatch: '*' } : { IfMatch: condition.etag })
    } catch (error) {
      if (!isUnsupported(error)) {
        // If-Match on an object that is gone answers 404.
        if (isMissing(error)) throw new ConditionFailed('s3:PutObject')
        throw error
      }
      const result = await write({})
      this.conditions = false
      return result
    }
  }

  /** Deletes an object; a missing one is not an error. */
  async delete(key: string): Promise<void> {
    await this.call('s3:DeleteObject', key, undefined, async () => {
      try {
        await this.client.send(new DeleteObjectCommand({ Bucket: this.location.bucket, Key: key }))
      } catch (error) {
        if (!isMissing(error)) throw error
      }
    })
  }

  /** Every object below a prefix, by ascending key. */
  async *list(prefix: string, signal?: AbortSignal): AsyncGenerator<{ readonly key: string; readonly size: number }> {
    for await (const page of this.#pages(prefix, undefined, signal))
      for (const { Key, Size } of page.Contents ?? []) if (Key !== undefined) yield { key: Key, size: Size ?? 0 }
  }

  /** Names of the folders directly below a prefix, without slashes. */
  async folders(prefix: string): Promise<string[]> {
    const names: string[] = []
    for await (const page of this.#pages(prefix, '/', undefined))
      for (const { Prefix = '' } of page.CommonPrefixes ?? []) names.push(Prefix.slice(prefix.length, -1))
    return names
  }

  /** Makes sure that the bucket exists and may be listed. */
  async look(prefix: string, signal?: AbortSignal): Promise<void> {
    await this.call('s3:ListBucket', '', signal, async () => {
      const input = { Bucket: this.location.bucket, Prefix: prefix, MaxKeys: 1 }
      await this.client.send(new ListObjectsV2Command(input), abort(signal))
    })
  }

  async *#pages(prefix: string, delimiter: string | undefined, signal: AbortSignal | undefined) {
    let token: string | undefined
    do {
      const input = { Bucket: this.location.bucket, Prefix: prefix, Delimiter: delimiter, ContinuationToken: token }
      const page = await this.call('s3:ListBucket', prefix, signal, () =>
        this.client.send(new ListObjectsV2Command(input), abort(signal)),
      )
      yield page
      token = page.IsTruncated ? page.NextContinuationToken : undefined
    } while (token !== undefined)
  }

  #setClock(response: unknown): void {
    if (typeof response !== 'object' || response === null || !('headers' in response)) return
    const { headers } = response
    if (typeof headers !== 'object' || headers === null || !('date' in headers)) return
    const time = Date.parse(String(headers.date))
    if (!Number.isNaN(time)) this.#clockOffsetMs = time - Date.now()
  }
}

/** Reads an object's body: to its end, or as far as tells that it is too long for a record. */
export async function bytesOf(found: Found): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of found.body) {
    if (!Buffer.isBuffer(chunk)) continue
    chunks.push(chunk)
    length += chunk.length
    if (length > LONGEST_RECORD) break
  }
  return Buffer.concat(chunks)
}

/** Passes on a body's bytes, with its network errors translated. */
export async function* bodyOf(bucket: Bucket, key: string, found: Found): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of found.body) if (chunk instanceof Uint8Array) yield chunk
  } catch (error) {
    if (error instanceof DataferryError) throw error
    throw toSinkError(error, { action: 's3:GetObject', where: bucket.location.urlOf(key) })
  }
}

export function abort(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {}
}
