import type { OwnerId } from '../../process/process-identity.ts'
import type { Bucket } from './bucket.ts'
import { isFree, PARTS, readRecord, recordKey, type FoundRecord } from './upload-claim.ts'
import type { Uploads } from './uploads.ts'

/** What an unfinished item has left: a record, and usually an upload, which costs storage. */
export interface AbandonedUpload {
  /** Of its item. */
  readonly key: string
  readonly path: string
  /** Undefined: no upload had begun. */
  readonly uploadId: string | undefined
}

export interface AbandonedTerms {
  readonly bucket: Bucket
  readonly uploads: Uploads
  readonly owner: OwnerId
  readonly leaseMs: number
  /** Whether this very sink has a stage of the key open. */
  readonly isOpen: (key: string) => boolean
}

/** How far the store's clocks for objects and for uploads may differ. */
const CLOCK_SLACK_MS = 5_000

/**
 * Uploads that dataferry has records of and no live process holds. Other programs' uploads below the same prefix are
 * left out, as they have no record.
 * @param isMeant chooses among them by their keys, before anything is read
 */
export async function* abandonedUploads(
  terms: AbandonedTerms,
  isMeant: (key: string) => boolean,
  signal: AbortSignal,
): AsyncGenerator<AbandonedUpload> {
  const { bucket } = terms
  const folder = bucket.location.ownKey(`${PARTS}/`)
  for await (const { key: object } of bucket.list(folder, signal)) {
    const key = object.slice(folder.length)
    if (terms.isOpen(key) || !isMeant(key)) continue
    const found = await readRecord(bucket, object, signal)
    if (found && (await isFree(found, terms, bucket))) yield* uploadsOf(terms, key, found)
  }
}

/** Frees the storage of an abandoned upload. */
export async function abortAbandoned({ bucket, uploads }: AbandonedTerms, upload: AbandonedUpload): Promise<void> {
  if (upload.uploadId !== undefined) await uploads.abort(bucket.location.objectKey(upload.path), upload.uploadId)
  await bucket.delete(recordKey(bucket, upload.key))
}

/** Removes the record of a key, and every upload it covers. */
export async function abortRecorded(terms: AbandonedTerms, key: string): Promise<void> {
  const object = recordKey(terms.bucket, key)
  const found = await readRecord(terms.bucket, object)
  if (!found) return
  for await (const upload of uploadsOf(terms, key, found)) await abortAbandoned(terms, upload)
  await terms.bucket.delete(object)
}

async function* uploadsOf(
  terms: AbandonedTerms,
  key: string,
  { record, modified }: FoundRecord,
): AsyncGenerator<AbandonedUpload> {
  if (!record) return
  yield { key, path: record.path, uploadId: record.upload?.uploadId }
  if (record.upload) return
  // Its writer may have died between beginning an upload and recording it.
  const object = terms.bucket.location.objectKey(record.path)
  for await (const { key: at, uploadId, initiated } of terms.uploads.open(object)) {
    const time = initiated?.getTime() ?? 0
    const during = time >= record.since - CLOCK_SLACK_MS && time <= modified.getTime() + terms.leaseMs
    if (at === object && during) yield { key, path: record.path, uploadId }
  }
}
