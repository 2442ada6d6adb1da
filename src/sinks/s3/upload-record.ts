import { createHash } from 'node:crypto'
import { z } from 'zod'
import { parseJson } from '../../json/parse-json.ts'
import { ALGORITHMS, checksumSchema } from '../../model/checksum.ts'
import type { Item } from '../../model/item.ts'
import { MAX_PART_SIZE, MAX_PARTS } from './part-layout.ts'

const stateSchema = z.object({
  uploadId: z.string(),
  /** Id of the write, as in the object's metadata. */
  write: z.string(),
  /** Whether the object, once complete, will state the published checksum. */
  stated: z.boolean(),
  layout: z.object({ partSize: z.number().int().positive().max(MAX_PART_SIZE), growing: z.boolean() }),
  /** Parts 1 … `parts` are stored, and the hash has seen them. */
  parts: z.number().int().nonnegative().max(MAX_PARTS),
  /** Digest of those parts' ETags in order: a list of 10,000 would be half a megabyte at every border. */
  etags: z.string(),
  /** Bytes that the hash has seen: those parts and the tail. */
  at: z.number().int().nonnegative(),
  hash: z.object({ algorithm: z.enum(ALGORITHMS), state: z.base64() }).optional(),
})

const headSchema = z.object({
  v: z.literal(1),
  owner: z.string(),
  /** When the owner took the claim, by the store's clock, in ms since 1970. */
  since: z.number(),
  /** No process is writing: the next one may continue. */
  released: z.boolean(),
  path: z.string(),
  size: z.number().optional(),
  checksum: checksumSchema.optional(),
  /** The published checksum turned out not to be that of these bytes: the next upload states nothing in advance. */
  unstated: z.boolean(),
  upload: stateSchema.optional(),
})

/** The state of an open upload, with everything another process needs to continue it; see `UploadClaim`. */
export type UploadState = Readonly<z.infer<typeof stateSchema>> & {
  /** Bytes from the last part border to `at`: they are not in the upload yet, and cannot be requested again. */
  readonly tail: Uint8Array
}

/** The record of one key: its writer, and the progress of the upload. Holds no secret. */
export type UploadRecord = Readonly<Omit<z.infer<typeof headSchema>, 'upload'>> & {
  readonly upload?: UploadState | undefined
}

const NEWLINE = 0x0a

/** A line of JSON, then the tail as it is. */
export function encodeRecord({ upload, ...record }: UploadRecord): Buffer {
  if (!upload) return Buffer.from(`${JSON.stringify(record)}\n`)
  const { tail, ...state } = upload
  return Buffer.concat([Buffer.from(`${JSON.stringify({ ...record, upload: state })}\n`), tail])
}

/** @returns undefined for anything that this version cannot read. */
export function decodeRecord(bytes: Buffer): UploadRecord | undefined {
  const end = bytes.indexOf(NEWLINE)
  if (end < 0) return undefined
  const parsed = headSchema.safeParse(parseJson(bytes.toString('utf8', 0, end)))
  if (!parsed.success) return undefined
  const { upload, ...record } = parsed.data
  return upload ? { ...record, upload: { ...upload, tail: bytes.subarray(end + 1) } } : record
}

/** Whether a record is about the same promised bytes at the same path. */
export function isAbout(record: UploadRecord, { path, expect }: Item): boolean {
  const { size, checksum } = expect
  const sameSum = record.checksum?.hex === checksum?.hex && record.checksum?.algorithm === checksum?.algorithm
  return record.path === path && record.size === size && sameSum
}

/** The digest of ETags 1 … n from that of 1 … n − 1; begins with ''. */
export function addEtag(etags: string, etag: string): string {
  return createHash('sha256').update(`${etags} ${etag}`).digest('hex').slice(0, 32)
}
