import { createHash } from 'node:crypto'

/** Bytes in UTF-8 that one segment of a path may have: the limit of ext4, XFS, APFS and NTFS alike, or stricter. */
export const MAX_SEGMENT_BYTES = 255
/** Bytes in UTF-8 that a path may have: the limit of an S3 key. */
export const MAX_PATH_BYTES = 1024

/** The folder of batches at the top of every destination. */
const RESERVED_FOLDER = '.dataferry'

export interface SafePath {
  /** Relative, `/` between segments, never empty. */
  readonly path: string
  /** Whether it differs from what was given. */
  readonly changed: boolean
}

/**
 * Turns a foreign path into one that is safe and means the same on Linux, macOS, Windows and S3: it never
 * leaves the folder it is resolved against. Empty segments and `.` are dropped; anything unsafe becomes `_`, so that
 * `../a` is `__/a`; names that are too long are cut before their extension and get a short hash.
 * A safe path is returned unchanged.
 */
export function safePath(path: string): SafePath {
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.')
  return finish(path, segments)
}

/**
 * The safe path of a file that a listing describes. A `/` in `label` is not a separator, as it is not one to the server.
 * @param directory `/` between segments; '' at the top
 */
export function safeFilePath(directory: string, label: string): SafePath {
  const wanted = directory === '' ? label : `${directory}/${label}`
  const segments = directory.split('/').filter((segment) => segment !== '' && segment !== '.')
  return finish(wanted, [...segments, label.replaceAll('/', '_')])
}

function finish(wanted: string, segments: readonly string[]): SafePath {
  const safe = segments.map(safeSegment)
  const first = safe[0] ?? '_'
  // Compared without case, since on many systems `.Dataferry` is the same folder.
  if (first.toLowerCase() === RESERVED_FOLDER) safe[0] = `_${first}`
  if (safe.length === 0) safe.push('_')
  const path = fitPath(safe.map(fitSegment))
  return { path, changed: path !== wanted }
}

/**
 * Characters that no name may have: what Windows forbids, controls, unpaired surrogates, noncharacters, line separators,
 * and invisible format characters (bidi overrides, zero-width ones) that can make a name look like another.
 */
const FORBIDDEN = /[<>:"|?*\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu
/** Device names, with or without extension; Windows reads the superscript digits as digits. */
const DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)/i
/** Most names need no change. */
const PLAIN = /^[A-Za-z0-9_-](?:[A-Za-z0-9._ ()-]*[A-Za-z0-9_()-])?$/

/** Characters of a segment that are looked at, far more than are kept: normalising and matching cost more than their length. */
const MAX_LOOKED_AT = 1024

function safeSegment(given: string): string {
  const segment = given.length > MAX_LOOKED_AT ? shortened(given) : given
  if (PLAIN.test(segment) && !DEVICE.test(segment)) return segment
  const name = segment
    .normalize('NFC')
    .replace(FORBIDDEN, '_')
    // Windows drops dots and spaces at the end, and people overlook spaces at the start.
    .replace(/[.\s]+$/u, (end) => '_'.repeat(end.length))
    .replace(/^\s+/u, (start) => '_'.repeat(start.length))
  if (name === '') return '_'
  return DEVICE.test(name) ? `_${name}` : name
}

/** The start of an endless segment, the hash of the whole, and its extension; it is cut to what fits afterwards. */
function shortened(segment: string): string {
  const extension = extensionOf(segment)
  return `${segment.slice(0, MAX_LOOKED_AT / 2)}~${shortHash(segment)}${extension}`
}

/** Cuts a segment that is too long: `<start>~<hash><extension>`. The hash is of the whole, so that two long names stay two. */
function fitSegment(segment: string): string {
  if (byteLength(segment) <= MAX_SEGMENT_BYTES) return segment
  const extension = extensionOf(segment)
  const tail = `~${shortHash(segment)}${extension}`
  const stem = segment.slice(0, segment.length - extension.length)
  return cut(stem, MAX_SEGMENT_BYTES - byteLength(tail)) + tail
}

/** Keeps the file name and as many leading folders as fit; the rest of the folders become one hash. */
function fitPath(segments: readonly string[]): string {
  const path = segments.join('/')
  if (byteLength(path) <= MAX_PATH_BYTES) return path
  const name = segments.at(-1) ?? '_'
  const folders = segments.slice(0, -1)
  const tail = `~${shortHash(folders.join('/'))}/${name}`
  let room = MAX_PATH_BYTES - byteLength(tail)
  const kept: string[] = []
  for (const folder of folders) {
    room -= byteLength(folder) + 1
    if (room < 0) break
    kept.push(folder)
  }
  return [...kept, tail].join('/')
}

/** `.csv`, or `.tar.gz`: up to two short endings, never the whole name. */
export function extensionOf(name: string): string {
  return /(?<=[^/.])(?:\.[A-Za-z0-9]{1,12}){1,2}$/.exec(name.slice(-LONGEST_EXTENSION - 1))?.[0] ?? ''
}

/** Characters of two endings of twelve. */
const LONGEST_EXTENSION = 26

/** `raw/2024//` → `raw/2024`. */
export function withoutEndSlashes(path: string): string {
  let end = path.length
  while (end > 0 && path.charAt(end - 1) === '/') end--
  return path.slice(0, end)
}

/** The longest start of at most `bytes` bytes that ends between two characters as people see them. */
function cut(text: string, bytes: number): string {
  const [start, whole] = take(new Intl.Segmenter('und').segment(text), bytes)
  if (whole || start !== '') return start
  // One endless cluster of combining marks: then between two code points.
  return take(
    Array.from(text, (segment) => ({ segment })),
    bytes,
  )[0]
}

function take(pieces: Iterable<{ readonly segment: string }>, bytes: number): [start: string, whole: boolean] {
  let start = ''
  let room = bytes
  for (const { segment } of pieces) {
    room -= byteLength(segment)
    if (room < 0) return [start, false]
    start += segment
  }
  return [start, true]
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 10)
}

function byteLength(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}
