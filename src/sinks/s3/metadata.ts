import { basename } from 'node:path/posix'
import { z } from 'zod'
import { ALGORITHMS, HEX_LENGTH, parseChecksum, type Algorithm, type Checksum } from '../../model/checksum.ts'
import type { Item } from '../../model/item.ts'
import { VERIFIED } from '../../model/receipt.ts'
import type { Encryption, Head, ObjectHeaders } from './bucket.ts'
import { storageClassOf, type S3Options } from './client.ts'
import type { Proof, Statement } from '../sink.ts'

/** Names of the object metadata; stores prefix them with `x-amz-meta-`. */
const NAMES = {
  /** `md5:9e10…`, of the whole object. */
  checksum: 'dataferry-checksum',
  verified: 'dataferry-verified',
  server: 'dataferry-server',
  file: 'dataferry-file',
  pid: 'dataferry-pid',
  dataset: 'dataferry-dataset',
  version: 'dataferry-version',
  /** `<batch>-<n>`. */
  key: 'dataferry-key',
  /** Unique for each write, so that a write whose answer was lost is recognised. */
  write: 'dataferry-write',
} as const

/** Headers of everything that a sink writes. */
export function encryptionOf({ sse, kmsKeyId }: S3Options): Encryption {
  return {
    ...(sse !== undefined && { ServerSideEncryption: sse }),
    ...(kmsKeyId !== undefined && { SSEKMSKeyId: kmsKeyId }),
  }
}

/** Headers of an item's object. `statement` is omitted while nothing can be said yet. */
export function headersOf(
  item: Item,
  ids: { readonly key: string; readonly write: string },
  options: S3Options,
  statement: Statement | undefined,
): ObjectHeaders {
  const contentType = sendable(item.contentType)
  return {
    ...encryptionOf(options),
    ...(contentType !== undefined && { ContentType: contentType }),
    ContentDisposition: dispositionOf(basename(item.path)),
    ...(options.storageClass !== undefined && { StorageClass: storageClassOf(options.storageClass) }),
    Metadata: { ...sourceOf(item), [NAMES.key]: ids.key, [NAMES.write]: ids.write, ...(statement && spell(statement)) },
  }
}

/** The header with which the store itself checks the bytes of a `PutObject`; none for sha512. */
export function checkedByStore({ algorithm, hex }: Checksum): ObjectHeaders {
  const base64 = Buffer.from(hex, 'hex').toString('base64')
  if (hex.length !== HEX_LENGTH[algorithm] || algorithm === 'sha512') return {}
  if (algorithm === 'md5') return { ContentMD5: base64 }
  return algorithm === 'sha1' ? { ChecksumSHA1: base64 } : { ChecksumSHA256: base64 }
}

/** What a commit stated about an object; undefined if nothing. */
export function proofOf({ metadata, size }: Head): Proof | undefined {
  const [algorithm = '', hex = ''] = (metadata[NAMES.checksum] ?? '').split(':')
  const checksum = parseChecksum(algorithm, hex)
  const verified = z.enum(VERIFIED).safeParse(metadata[NAMES.verified])
  const key = metadata[NAMES.key]
  if (!checksum || !verified.success) return undefined
  const digests = ALGORITHMS.flatMap((name) => parseChecksum(name, metadata[nameOf(name)] ?? '') ?? [])
  return {
    checksum,
    ...(digests.length > 0 && { digests }),
    size,
    verified: verified.data,
    ...(key !== undefined && { key }),
  }
}

/** The key of the stage that committed an object. */
export function keyOf({ metadata }: Head): string | undefined {
  return metadata[NAMES.key]
}

/** The id of the write that created an object. */
export function writeOf({ metadata }: Head): string | undefined {
  return metadata[NAMES.write]
}

function spell({ checksum, digests = [], verified }: Statement): Record<string, string> {
  return {
    [NAMES.checksum]: `${checksum.algorithm}:${checksum.hex}`,
    ...Object.fromEntries(digests.map(({ algorithm, hex }) => [nameOf(algorithm), hex])),
    [NAMES.verified]: verified,
  }
}

/** `dataferry-sha512`: a further digest, in hex. */
function nameOf(algorithm: Algorithm): string {
  return `dataferry-${algorithm}`
}

function sourceOf({ server, ref, origin }: Item): Record<string, string> {
  const file = ref.kind === 'file' || ref.kind === 'all-forms' ? String(ref.file) : undefined
  const wanted = {
    [NAMES.server]: server,
    [NAMES.file]: file,
    [NAMES.pid]: origin?.pid,
    [NAMES.dataset]: origin?.dataset,
    [NAMES.version]: origin?.version,
  }
  const known: Record<string, string> = {}
  for (const [name, value] of Object.entries(wanted)) {
    const text = sendable(value)
    if (text !== undefined) known[name] = text
  }
  return known
}

/** Characters of a value that a server or a manifest chose: all of them stay below the 2 KB that S3 has for metadata. */
const LONGEST_VALUE = 256

/** Metadata travels in HTTP headers: anything but printable ASCII is percent-encoded, and what is too long is left out. */
function sendable(text: string | undefined): string | undefined {
  if (text === undefined || text.length > LONGEST_VALUE) return undefined
  const ascii = text.replaceAll(/[^\x20-\x7e]+/g, (odd) => encodeURIComponent(wellFormed(odd)))
  return ascii.length > LONGEST_VALUE ? undefined : ascii
}

/** @see RFC 6266: `filename*`, and `filename` for clients that do not know it. */
function dispositionOf(name: string): string {
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(wellFormed(name)).replaceAll(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}

/** Without unpaired surrogates, which cannot be percent-encoded. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString()
}
