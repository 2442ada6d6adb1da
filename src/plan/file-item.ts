import type { Asked } from '../batch/asked.ts'
import type { Entry } from '../model/entry.ts'
import type { Format, Item, Ref } from '../model/item.ts'
import type { ListedFile, ListedVersion } from '../model/listing.ts'

/** An item before it has a line number and a path that is safe and unique. */
export type Draft = Omit<Item, 'n' | 'path' | 'renamedFrom'> & {
  /** Folder and name as the server or the user wrote them. */
  readonly wanted: { readonly directory: string; readonly name: string }
  /** Of an archive: what it is to hold. Recorded beside the plan. */
  readonly asked?: Asked
}

/** What the manifest, the listing and the command line say together. */
export interface Context {
  readonly server: string
  readonly entry: Entry
  readonly line: number
  readonly format: Format
}

/** Extensions of uploaded originals, by the content type that Dataverse records for them. */
const ORIGINAL_EXTENSIONS: Readonly<Record<string, string>> = {
  'text/csv': '.csv',
  'text/comma-separated-values': '.csv',
  'text/tsv': '.tsv',
  'text/tab-separated-values': '.tsv',
  'application/x-stata': '.dta',
  'application/x-stata-13': '.dta',
  'application/x-stata-14': '.dta',
  'application/x-stata-15': '.dta',
  'application/x-spss-sav': '.sav',
  'application/x-spss-por': '.por',
  'application/x-rlang-transport': '.RData',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': '.xlsx',
}

/** The item for a file that a listing describes. Promises are those of the form that is asked for. */
export function listedItem(file: ListedFile, version: ListedVersion | undefined, context: Context): Draft {
  const { entry, server, line } = context
  const format = entry.format ?? context.format
  const ref: Ref = { kind: 'file', file: file.id, format, ...(file.tabular && { tabular: true as const }) }
  const expect = promises(file, format, entry)
  const contentType = file.tabular && format === 'original' ? file.original?.contentType : file.contentType
  return {
    server,
    ref,
    line,
    wanted: wantedPath(file, version, entry, format),
    expect,
    ...(file.tabular && format === 'archival' && file.size !== undefined && { listedSize: file.size }),
    origin: {
      ...(version && { dataset: version.dataset, version: version.version }),
      ...(file.pid !== undefined && { pid: file.pid }),
    },
    ...(contentType !== undefined && { contentType }),
    ...(file.withheld && { withheld: file.withheld }),
  }
}

/** The item for an entry that says all itself, so that no listing is needed: checksum and path. */
export function selfContainedItem(file: number | string, path: string, context: Context): Draft {
  const { entry, server, line } = context
  return {
    server,
    line,
    ref: { kind: 'file', file, format: entry.format ?? context.format },
    wanted: splitPath(path),
    expect: ownPromises(entry),
  }
}

/** What the manifest itself promises about the bytes. */
export function ownPromises({ size, checksum }: Entry): Draft['expect'] {
  return { ...(size !== undefined && { size }), ...(checksum && { checksum }) }
}

/**
 * Size and checksum of the bytes that will arrive.
 * @see protocol note §3: a tabular file's checksum is that of the original; its `filesize` lacks the header line
 * that the archival form has, so nothing is promised about that form.
 */
function promises(file: ListedFile, format: Format, entry: Entry): Draft['expect'] {
  const own = ownPromises(entry)
  if (file.tabular && format === 'archival') return own
  const size = file.tabular ? file.original?.size : file.size
  return { ...(size !== undefined && { size }), ...(file.checksum && { checksum: file.checksum }), ...own }
}

function wantedPath(
  file: ListedFile,
  version: ListedVersion | undefined,
  entry: Entry,
  format: Format,
): Draft['wanted'] {
  const name = file.tabular && format === 'original' ? originalName(file) : file.label
  if (entry.path !== undefined && entry.target.kind !== 'dataset' && entry.target.kind !== 'pid') {
    return wantedAs(entry.path, name)
  }
  const top = entry.path === undefined ? (version ? datasetFolder(version.dataset) : '') : withoutSlash(entry.path)
  return { directory: [top, file.directory].filter((part) => part !== '').join('/'), name }
}

function originalName(file: ListedFile): string {
  if (file.original?.name !== undefined) return file.original.name
  const extension = ORIGINAL_EXTENSIONS[file.original?.contentType ?? '']
  return extension === undefined ? file.label : file.label.replace(/\.tab$/, '') + extension
}

/** `doi:10.5072/FK2/ABC` → `doi-10.5072-FK2-ABC`: one folder for a dataset, readable and never nested. */
export function datasetFolder(pid: string): string {
  return pid.replaceAll(/[:/]+/g, '-')
}

/** A path that the user gave: a folder when it ends in `/`, for a file that keeps its `name`. */
export function wantedAs(path: string, name: string): Draft['wanted'] {
  return path.endsWith('/') ? { directory: withoutSlash(path), name } : splitPath(path)
}

function withoutSlash(path: string): string {
  return path.replace(/\/+$/, '')
}

function splitPath(path: string): Draft['wanted'] {
  const slash = path.lastIndexOf('/')
  return { directory: path.slice(0, Math.max(0, slash)), name: path.slice(slash + 1) }
}
