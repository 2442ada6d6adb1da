import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { abort, type Bucket, type Condition, type ObjectHeaders } from './bucket.ts'
import { isMissing, isNoSuchUpload, nameOf } from './errors.ts'

export interface Part {
  /** From 1. */
  readonly number: number
  readonly etag: string
  readonly size: number
}

/** An upload that was neither completed nor aborted. */
export interface ListedUpload {
  readonly key: string
  readonly uploadId: string
  readonly initiated: Date | undefined
}

/** How completing ended. `gone`: the id is unknown. `changed`: parts are not what they were. */
export type Completion = 'done' | 'gone' | 'changed'

/** Multipart uploads of one bucket. Every method rejects with `SINK_…` codes or the signal's reason. */
export class Uploads {
  readonly #bucket: Bucket

  constructor(bucket: Bucket) {
    this.#bucket = bucket
  }

  async create(key: string, headers: ObjectHeaders, signal: AbortSignal): Promise<string> {
    const bucket = this.#bucket
    // Not all stores say in the answer whether they will encrypt; the claim's write has been checked before.
    const create = async () => {
      const input = { Bucket: bucket.location.bucket, Key: key, ...headers }
      const answer = await bucket.client.send(new CreateMultipartUploadCommand(input), abort(signal))
      if (answer.UploadId === undefined) throw new Error('no upload id in the answer')
      return answer.UploadId
    }
    return await bucket.call('s3:PutObject', key, signal, create, headers)
  }

  async send(key: string, uploadId: string, number: number, body: Uint8Array, signal: AbortSignal): Promise<Part> {
    const bucket = this.#bucket
    return await bucket.call('s3:PutObject', key, signal, async () => {
      const input = {
        Bucket: bucket.location.bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: number,
        Body: body,
        ContentLength: body.byteLength,
      }
      const answer = await bucket.client.send(new UploadPartCommand(input), abort(signal))
      return { number, etag: answer.ETag ?? '', size: body.byteLength }
    })
  }

  /** As `send`, of bytes `from` … `to` − 1 of an object that the store has already. */
  async copy(
    key: string,
    uploadId: string,
    number: number,
    { source, from, to }: { readonly source: string; readonly from: number; readonly to: number },
    signal: AbortSignal,
  ): Promise<Part> {
    const bucket = this.#bucket
    return await bucket.call('s3:PutObject', key, signal, async () => {
      const input = {
        Bucket: bucket.location.bucket,
        Key: key,
        UploadId: uploadId,
        PartNumber: number,
        CopySource: copySource(bucket.location.bucket, source),
        CopySourceRange: `bytes=${from}-${to - 1}`,
      }
      const answer = await bucket.client.send(new UploadPartCopyCommand(input), abort(signal))
      return { number, etag: answer.CopyPartResult?.ETag ?? '', size: to - from }
    })
  }

  /** The parts that the store holds, ascending; undefined when it does not know the upload. */
  async parts(key: string, uploadId: string, signal?: AbortSignal): Promise<Part[] | undefined> {
    const bucket = this.#bucket
    return await bucket.call('s3:ListMultipartUploadParts', key, signal, async () => {
      const parts: Part[] = []
      let marker: string | undefined
      do {
        const input = { Bucket: bucket.location.bucket, Key: key, UploadId: uploadId, PartNumberMarker: marker }
        const page = await orUndefined(bucket.client.send(new ListPartsCommand(input), abort(signal)))
        if (!page) return undefined
        for (const { PartNumber, ETag, Size } of page.Parts ?? [])
          if (PartNumber !== undefined && ETag !== undefined)
            parts.push({ number: PartNumber, etag: ETag, size: Size ?? 0 })
        marker = page.IsTruncated ? page.NextPartNumberMarker : undefined
      } while (marker !== undefined)
      return parts.sort((a, b) => a.number - b.number)
    })
  }

  /**
   * Completes the upload. Names each part by its ETag, so that the store refuses parts changed since.
   * Rejects with `ConditionFailed`. Takes no signal: once requested, the outcome must be known.
   */
  async complete(key: string, uploadId: string, parts: readonly Part[], condition: Condition): Promise<Completion> {
    const bucket = this.#bucket
    const Parts = parts.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }))
    return await bucket.call('s3:PutObject', key, undefined, async () => {
      const input = { Bucket: bucket.location.bucket, Key: key, UploadId: uploadId, MultipartUpload: { Parts } }
      try {
        await bucket.conditionally(condition, (conditions) =>
          bucket.client.send(new CompleteMultipartUploadCommand({ ...input, ...conditions })),
        )
        return 'done'
      } catch (error) {
        if (isNoSuchUpload(error)) return 'gone'
        if (nameOf(error) === 'InvalidPart' || nameOf(error) === 'InvalidPartOrder') return 'changed'
        throw error
      }
    })
  }

  /** Frees the parts; a missing upload is not an error. */
  async abort(key: string, uploadId: string): Promise<void> {
    const bucket = this.#bucket
    await bucket.call('s3:AbortMultipartUpload', key, undefined, async () => {
      const input = { Bucket: bucket.location.bucket, Key: key, UploadId: uploadId }
      await orUndefined(bucket.client.send(new AbortMultipartUploadCommand(input)))
    })
  }

  /** Open uploads whose keys begin with a prefix. */
  async *open(prefix: string, signal?: AbortSignal): AsyncGenerator<ListedUpload> {
    const bucket = this.#bucket
    let markers: Markers = {}
    do {
      const input = { Bucket: bucket.location.bucket, Prefix: prefix, ...markers }
      const page = await bucket.call('s3:ListBucketMultipartUploads', prefix, signal, () =>
        bucket.client.send(new ListMultipartUploadsCommand(input), abort(signal)),
      )
      for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
        if (Key !== undefined && UploadId !== undefined) yield { key: Key, uploadId: UploadId, initiated: Initiated }
      markers = page.IsTruncated ? { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker } : {}
    } while (markers.KeyMarker !== undefined)
  }
}

/** How a copy names its source: percent-encoded, but for slashes. */
export function copySource(bucket: string, key: string): string {
  return `${bucket}/${encodeURIComponent(key).replaceAll('%2F', '/')}`
}

interface Markers {
  readonly KeyMarker?: string | undefined
  readonly UploadIdMarker?: string | undefined
}

async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isNoSuchUpload(error) || isMissing(error)) return undefined
    throw error
  }
}
