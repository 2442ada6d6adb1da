import { extname } from 'node:path'
import type { Asked } from '../batch/asked.ts'
import type { Entry } from '../model/entry.ts'
import { NO_REF, type Format, type Item, type Ref } from '../model/item.ts'
import type { ListedFile, ListedVersion, MislistedFile } from '../model/listing.ts'
import { withoutEndSlashes } from '../model/path.ts'
import { promises } from './promises.ts'

/** An item before it has a line number and a path that is safe and unique. */
export type Draft = Omit<Item, 'n' | 'path' | 'renamedFrom'> & {
  /** Folder and name as the server or the user wrote them. */
  readonly wanted: {
    readonly directory: string
    readonly name: string
    /** The path that a row gave, if it names another form of the file than the one fetched. */
    readonly given?: string
  }
  /** For an archive: what it should hold. Recorded beside the plan. */
  readonly asked?: Asked
  /** Its dataset has terms of use of its own. */
  readonly hasTerms?: boolean
}

/** What the manifest, the listing and the command line say. */
export interface Context {
  readonly server: string
  readonly entry: Entry
  readonly line: number
  /** The manifest's name in messages, if there is one. */
  readonly manifest?: string
  readonly format: Format
}

/** The form that a line asks for, or else the command line. */
export function formatOf({ entry, format }: Context): Format {
  return entry.format ?? format
}

/** Extensions of uploaded originals, by the content type that Dataverse records for them. */
const ORIGINAL_EXTENSIONS: ReadonlyMap<string, string> = new Map(
  Object.entries({
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
  }),
)

/** The item for a file that a listing describes. Its size and checksum are those of the requested form. */
export function listedItem(file: ListedFile, version: ListedVersion | undefined, context: Context): Draft {
  const { entry, server, line } = context
  const format = formatOf(context)
  const ref: Ref = { kind: 'file', file: file.id, format, ...(file.tabular && { tabular: true as const }) }
  const expect = promises(file, format, context)
  const contentType = file.tabular && format === 'original' ? file.original?.contentType : file.contentType
  const withheldDay = file.availableUntil ?? file.availableFrom
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
    ...conditionsOf(version),
    ...(file.withheld && { withheld: file.withheld }),
    ...(withheldDay !== undefined && { withheldDay }),
  }
}

/** What a dataset demands of who fetches from it. */
export function conditionsOf(version: ListedVersion | undefined): Pick<Draft, 'guestbook' | 'hasTerms'> {
  return {
    ...(version?.guestbookId !== undefined && { guestbook: version.guestbookId }),
    ...(version?.terms && { hasTerms: true }),
  }
}

/** An entry of a listing that cannot be fetched, as an item that fails without a request, at its place among the others. */
export function mislistedItem(file: MislistedFile, version: ListedVersion | undefined, context: Context): Draft {
  const problem = { code: 'SOURCE_MISLISTED', message: file.mislisted }
  return { ...listedItem(asListed(file), version, context), ref: NO_REF, problem }
}

/** A file of which nothing is known but its place. */
export function asListed({ label, directory }: MislistedFile): ListedFile {
  return { id: 0, label, directory, tabular: false }
}

function wantedPath(
  file: ListedFile,
  version: ListedVersion | undefined,
  entry: Entry,
  format: Format,
): Draft['wanted'] {
  const name = file.tabular && format === 'original' ? originalName(file) : file.label
  if (entry.path !== undefined && entry.target.kind !== 'dataset' && entry.target.kind !== 'pid') {
    return inForm(wantedAs(entry.path, name), file, format)
  }
  const top = entry.path === undefined ? (version ? datasetFolder(version.dataset) : '') : withoutEndSlashes(entry.path)
  return { directory: [top, file.directory].filter((part) => part !== '').join('/'), name }
}

/** A row that calls the original `x.tab`, or the archival form `x.dta`, gets the extension of the form fetched. */
function inForm(wanted: Draft['wanted'], file: ListedFile, format: Format): Draft['wanted'] {
  if (!file.tabular) return wanted
  const original = extname(originalName(file))
  const [right, wrong] = format === 'original' ? [original, TABULAR] : [TABULAR, original]
  const { directory, name } = wanted
  const ending = extname(name).toLowerCase()
  if (ending !== wrong.toLowerCase() || ending === right.toLowerCase()) return wanted
  return { directory, name: name.slice(0, -wrong.length) + right, given: joined(directory, name) }
}

/** Extension of the archival form. */
const TABULAR = '.tab'

/** The requested path of a file, before it is made safe. */
export function joined(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`
}

/** The name of a table as it was uploaded, or the best guess at it. */
export function originalName(file: ListedFile): string {
  if (file.original?.name !== undefined) return file.original.name
  const extension = ORIGINAL_EXTENSIONS.get(file.original?.contentType ?? '')
  return extension === undefined ? file.label : withoutEnding(file.label, TABULAR) + extension
}

/** `doi:10.5072/FK2/ABC` → `doi-10.5072-FK2-ABC`: one folder for a dataset, readable and never nested. */
export function datasetFolder(pid: string): string {
  return pid.replaceAll(/[:/]+/g, '-')
}

/** A path that the user gave: a folder when it ends in `/`, for a file that keeps its `name`. */
export function wantedAs(path: string, name: string): Draft['wanted'] {
  return path.endsWith('/') ? { directory: withoutEndSlashes(path), name } : splitPath(path)
}

function withoutEnding(name: string, ending: string): string {
  return name.endsWith(ending) ? name.slice(0, -ending.length) : name
}

function splitPath(path: string): Draft['wanted'] {
  const slash = path.lastIndexOf('/')
  return { directory: path.slice(0, Math.max(0, slash)), name: path.slice(slash + 1) }
}
