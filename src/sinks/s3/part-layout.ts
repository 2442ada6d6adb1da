const MIB = 1 << 20
/** Files up to this size are published with one `PutObject`; unknown sizes begin with parts of this size. */
export const WHOLE_SIZE = 8 * MIB
/** Every part but the last has at least this many bytes. @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const MIN_PART_SIZE = 5 * MIB
/** No store takes more in one part. */
export const MAX_PART_SIZE = 5 * 1024 * MIB
/** Larger parts cost fewer requests and records, and more memory. */
const MAX_PART = 64 * MIB
/** Parts of a large object: more than that make them larger. */
const WANTED_PARTS = 2_500
/** What a crash may cost of an upload: so much, or this share of it. As much again may be ahead of its turn, before the sink. */
const AT_RISK = 32 * MIB
const SHARE_AT_RISK = 1 / 200
const MOST_HELD = 8
/** Parts of an upload: at most 10,000. Known sizes use half, since a listing may be wrong and the checksum decides. */
export const MAX_PARTS = 10_000
const PLANNED_PARTS = 4_900
/** For unknown sizes: after this many parts the part size doubles, up to 64 MiB: room for 570 GB. */
const GROW_EVERY = 1_000

/**
 * How an object is cut into parts: a rule, so that every process that continues it uses the same borders.
 * With a known size all parts but the last are equal, which some stores demand (Cloudflare R2).
 */
export interface PartLayout {
  /** Bytes of the first part. */
  readonly partSize: number
  /** Whether later parts are larger. */
  readonly growing: boolean
}

/**
 * The layout of an object of `size` bytes.
 * @param partSize bytes of a part, where the user set it. By default 8 MiB to 64 MiB by the size of the object; what fits into
 * `WHOLE_SIZE` is not cut at all.
 */
export function layoutFor(size: number | undefined, partSize: number | undefined): PartLayout {
  if (size === undefined) return { partSize: partSize ?? WHOLE_SIZE, growing: true }
  if (partSize === undefined && size <= WHOLE_SIZE) return { partSize: WHOLE_SIZE, growing: false }
  const inMib = (bytes: number): number => Math.ceil(bytes / MIB) * MIB
  const wanted = Math.min(MAX_PART, Math.max(WHOLE_SIZE, inMib(size / WANTED_PARTS)))
  return { partSize: Math.max(partSize ?? wanted, inMib(size / PLANNED_PARTS)), growing: false }
}

/**
 * Parts of an object of `size` bytes that may be held in memory, the one that is filled included: what a crash may cost. Two at
 * least, so that one is on its way meanwhile, unless the user wants it otherwise.
 */
export function partsHeld(
  size: number | undefined,
  options: { readonly partSize?: number | undefined; readonly maxConcurrentParts?: number | undefined },
): number {
  const { partSize, maxConcurrentParts } = options
  const atRisk = Math.max(AT_RISK, (size ?? 0) * SHARE_AT_RISK)
  const held = Math.floor(atRisk / layoutFor(size, partSize).partSize)
  return maxConcurrentParts ?? Math.min(MOST_HELD, Math.max(2, held))
}

/** Bytes of part `n`, from 1, when it is not the last. */
export function bytesOfPart({ partSize, growing }: PartLayout, n: number): number {
  if (!growing) return partSize
  return Math.max(partSize, Math.min(MAX_PART, partSize * 2 ** Math.floor((n - 1) / GROW_EVERY)))
}

/** Bytes in the first `parts` parts. */
export function bytesBefore(layout: PartLayout, parts: number): number {
  if (!layout.growing) return parts * layout.partSize
  let sum = 0
  for (let n = 1; n <= parts; n++) sum += bytesOfPart(layout, n)
  return sum
}
