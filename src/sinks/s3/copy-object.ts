import { CopyObjectCommand, type StorageClass } from '@aws-sdk/client-s3'
import { abort, type Bucket, type Encryption, type Head } from './bucket.ts'
import { copySource, type Part, type Uploads } from './uploads.ts'

/** Bytes that one request may copy. @see https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
const MOST_AT_ONCE = 5 * 1024 ** 3
const PART = 1024 ** 3

/** Has the store copy an object with its metadata; no byte passes through here. */
export async function copyObject(
  bucket: Bucket,
  uploads: Uploads,
  {
    source,
    target,
    head,
  }: { readonly source: string; readonly target: string; readonly head: Pick<Head, 'size' | 'metadata'> },
  headers: Encryption & { readonly StorageClass?: StorageClass },
  signal: AbortSignal,
): Promise<void> {
  if (head.size <= MOST_AT_ONCE) {
    await bucket.call('s3:PutObject', target, signal, async () => {
      const CopySource = copySource(bucket.location.bucket, source)
      const input = { Bucket: bucket.location.bucket, Key: target, CopySource, ...headers }
      await bucket.client.send(new CopyObjectCommand(input), abort(signal))
    })
    return
  }
  const upload = await uploads.create(target, { ...headers, Metadata: { ...head.metadata } }, signal)
  try {
    const parts: Part[] = []
    for (let from = 0; from < head.size; from += PART) {
      const to = Math.min(head.size, from + PART)
      parts.push(await uploads.copy(target, upload, parts.length + 1, { source, from, to }, signal))
    }
    await uploads.complete(target, upload, parts, undefined)
  } catch (error) {
    await uploads.abort(target, upload).catch(() => undefined)
    throw error
  }
}
