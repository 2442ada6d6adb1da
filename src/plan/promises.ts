import { DataferryError } from '../errors.ts'
import { sameChecksum } from '../model/checksum.ts'
import type { Entry } from '../model/entry.ts'
import type { Expectation, Format } from '../model/item.ts'
import type { ListedFile } from '../model/listing.ts'

/** What a line of the manifest says, and where it is. */
interface Told {
  readonly entry: Entry
  readonly manifest?: string
  readonly line: number
}

/** The file whose size and checksum are checked. */
interface Subject {
  readonly file: ListedFile
  readonly format: Format
  /** `manifest.csv:7` */
  readonly where: string
}

/** What the manifest itself promises about the bytes. */
export function ownPromises({ size, checksum }: Entry): Expectation {
  return { ...(size !== undefined && { size }), ...(checksum && { checksum }) }
}

/**
 * Size and checksum of the bytes that will arrive, from the listing and the manifest. Where the listing has none, the
 * manifest's count, and are marked as its own. Throws `MANIFEST_MISMATCH` where the two contradict each other.
 * @see protocol note §3: a tabular file's checksum is that of the original; its `filesize` lacks the header line
 * that the archival form has, so nothing is promised about that form.
 */
export function promises(file: ListedFile, format: Format, { entry, manifest, line }: Told): Expectation {
  const listed = published(file, format)
  const subject: Subject = { file, format, where: `${manifest ?? 'the manifest'}:${line}` }
  // Given for a dataset, they are not those of any file in it.
  const said = entry.target.kind === 'file' ? entry : undefined
  const size = ownSize(subject, listed.size, said?.size)
  const checksum = ownChecksum(subject, listed.checksum, said?.checksum)
  const own = [
    ...(size === undefined ? [] : ['size' as const]),
    ...(checksum === undefined ? [] : ['checksum' as const]),
  ]
  return {
    ...listed,
    ...(size !== undefined && { size }),
    ...(checksum && { checksum }),
    ...(own.length > 0 && { own }),
  }
}

/** What the listing alone promises. */
export function published(file: ListedFile, format: Format): Expectation {
  if (file.tabular && format === 'archival') return {}
  const size = file.tabular ? file.original?.size : file.size
  return { ...(size !== undefined && { size }), ...(file.checksum && { checksum: file.checksum }) }
}

/** The manifest's size where the listing has none. A table has two sizes, and a row may give either. */
function ownSize(
  { file, format, where }: Subject,
  listed: number | undefined,
  own: number | undefined,
): number | undefined {
  if (own === undefined || own === listed || (file.tabular && (own === file.size || own === file.original?.size))) {
    return undefined
  }
  if (listed === undefined) return own
  throw mismatch(where, `a size of ${own} bytes`, `${listed} bytes for the ${form(file, format)}`)
}

function ownChecksum(
  { file, format, where }: Subject,
  listed: Entry['checksum'],
  own: Entry['checksum'],
): Entry['checksum'] {
  // The checksum of the original says nothing about the archival form.
  if (!own || (file.checksum && sameChecksum(own, file.checksum))) return undefined
  if (listed?.algorithm !== own.algorithm) return own
  throw mismatch(where, `${own.algorithm} ${own.hex}`, `${listed.hex} for the ${form(file, format)}`)
}

function form(file: ListedFile, format: Format): string {
  return file.tabular ? `${format} form of ${file.label}` : `file ${file.label}`
}

function mismatch(where: string, says: string, lists: string): DataferryError {
  return new DataferryError('MANIFEST_MISMATCH', `${where} says ${says}, but the server lists ${lists}.`)
}
