import type { ChecksumType, Content } from './content.ts'
import { bytes, digest, generated, joined } from './content.ts'
import type { ContentSpec, FileSpec } from './specs.ts'
import type { Dataset } from './world.ts'

/** A data file: one set of immutable bytes behind one id. Names belong to the versions it is in. */
export interface DataFile {
  readonly id: number
  readonly dataset: Dataset
  readonly spec: FileSpec
  /** What the store holds: for tabular files the tab, with or without header line. */
  readonly stored: Content
  readonly tabular: Tabular | undefined
  readonly contentType: string
  /** In at least one released version. */
  readonly released: boolean
  /** Newest names, a draft's included: what archives and headers use. */
  readonly label: string
  readonly directory: string
}

export interface Tabular {
  readonly original: Content
  readonly originalName: string
  readonly originalContentType: string
  readonly variables: readonly string[]
  readonly header: Content
  readonly storedWithHeader: boolean
}

export function contentOf(spec: ContentSpec | undefined): Content {
  if (spec === undefined) return bytes('')
  if (typeof spec === 'string' || spec instanceof Uint8Array) return bytes(spec)
  if ('base64' in spec) return bytes(Buffer.from(spec.base64, 'base64'))
  return generated(spec.size, spec.seed)
}

/** Everything about a data file that follows from its description. */
export function dataFile(
  spec: FileSpec,
  place: { readonly id: number; readonly dataset: Dataset; readonly released: boolean; readonly newest: FileSpec },
): DataFile {
  const tabular = tabularOf(spec)
  const rows = contentOf(spec.tabular ? spec.tabular.tab : spec.content)
  return {
    id: place.id,
    dataset: place.dataset,
    spec,
    stored: tabular?.storedWithHeader ? joined(tabular.header, rows) : rows,
    tabular,
    contentType: spec.contentType ?? (tabular ? 'text/tab-separated-values' : 'application/octet-stream'),
    released: place.released,
    label: place.newest.label,
    directory: place.newest.directory ?? '',
  }
}

function tabularOf(spec: FileSpec): Tabular | undefined {
  const table = spec.tabular
  if (!table) return undefined
  return {
    original: contentOf(table.original),
    originalName: table.originalName ?? spec.label.replace(/\.tab$/, '.csv'),
    originalContentType: table.originalContentType ?? 'text/csv',
    variables: table.header,
    header: bytes(`${table.header.join('\t')}\n`),
    storedWithHeader: table.storedWithHeader ?? false,
  }
}

/** The default download: of a tabular file the header line and the rows, whichever way they are stored. */
export function mainContent(file: DataFile): Content {
  const table = file.tabular
  return table && !table.storedWithHeader ? joined(table.header, file.stored) : file.stored
}

/** The checksum that listings publish: of the uploaded bytes, so for tabular files of the original (note §3). */
export async function publishedChecksum(file: DataFile): Promise<{ type: ChecksumType; value: string } | undefined> {
  const wanted = file.spec.checksum === undefined ? 'MD5' : file.spec.checksum
  if (wanted === null) return undefined
  if (typeof wanted === 'object') return wanted
  const legacy = file.spec.tabular?.legacyChecksum === true
  const content = legacy ? contentOf(file.spec.tabular.tab) : (file.tabular?.original ?? file.stored)
  return { type: wanted, value: await digest(content, wanted) }
}

/** Ids of a file's variables, for subsetting: they follow from the file's id. */
export function variableId(file: DataFile, column: number): number {
  return file.id * 1000 + column
}
