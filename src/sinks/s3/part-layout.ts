const MIB = 1 << 20
/** Files up to this size are published with one `PutObject`; unknown sizes begin with parts of as many bytes. */
export const WHOLE_SIZE = 8 * MIB
/** Every part but the last has at least this many bytes. @see https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
export const MIN_PART_SIZE = 5 * MIB
/** The part on its way and what is gathered meanwhile, as a share of a part: 8 MiB with parts of 5 MiB. */
const AT_RISK = 1.6
const MAX_GROWN_PART = 64 * MIB
/** Parts of an upload: at most 10,000. Known sizes plan with half, since a listing may be wrong and the checksum decides. */
export const MAX_PARTS = 10_000
const PLANNED_PARTS = 4_900
/** For unknown sizes: every so many parts the part size doubles, up to 64 MiB: room for 570 GB. */
const GROW_EVERY = 1_000

/**
 * How an object is cut into parts: a rule, so that the borders are the same in every process that goes on with it.
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
 * @param partSize bytes of a part, where the user set it. By default parts are as small as S3 takes them, since a crash costs
 * those that are not stored yet; what fits into `WHOLE_SIZE` is not cut at all.
 */
export function layoutFor(size: number | undefined, partSize: number | undefined): PartLayout {
  if (size === undefined) return { partSize: partSize ?? WHOLE_SIZE, growing: true }
  if (partSize === undefined && size <= WHOLE_SIZE) return { partSize: WHOLE_SIZE, growing: false }
  const needed = Math.ceil(size / PLANNED_PARTS / MIB) * MIB
  return { partSize: Math.max(partSize ?? MIN_PART_SIZE, needed), growing: false }
}

/**
 * Bytes of an upload that a crash may cost: sent or gathered, and not yet stored and on record.
 * @param held parts that may be held, where the user set it; by default two, of which the second is not filled
 */
export function bytesAtRisk(partSize: number, held: number | undefined): number {
  return Math.floor(partSize * (held ?? AT_RISK))
}

/** Bytes of part `n`, from 1, when it is not the last. */
export function bytesOfPart({ partSize, growing }: PartLayout, n: number): number {
  if (!growing) return partSize
  return Math.max(partSize, Math.min(MAX_GROWN_PART, partSize * 2 ** Math.floor((n - 1) / GROW_EVERY)))
}

/** Bytes in the first `parts` parts. */
export function bytesBefore(layout: PartLayout, parts: number): number {
  if (!layout.growing) return parts * layout.partSize
  let sum = 0
  for (let n = 1; n <= parts; n++) sum += bytesOfPart(layout, n)
  return sum
}
