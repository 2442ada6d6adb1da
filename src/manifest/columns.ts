import { editDistance } from '../model/nearest.ts'
import { clean } from './text.ts'

/** What a column, or a key of an NDJSON line, says about its row. */
const ROLES = [
  'id',
  'ids',
  'file',
  'pid',
  'dataset',
  'url',
  'version',
  'path',
  'directory',
  'name',
  'md5',
  'sha1',
  'sha256',
  'sha512',
  'checksum',
  'checksumtype',
  'size',
  'format',
  'server',
  'kind',
] as const
export type Role = (typeof ROLES)[number]

/** Other spellings, as people and tools write them, without case, blanks and punctuation. */
const SPELLINGS: Readonly<Record<string, Role>> = {
  fileids: 'ids',
  fileid: 'file',
  datafileid: 'file',
  databaseid: 'file',
  filepid: 'file',
  filedoi: 'file',
  filepersistentid: 'file',
  persistentid: 'pid',
  doi: 'pid',
  handle: 'pid',
  datasetid: 'dataset',
  datasetpid: 'dataset',
  datasetdoi: 'dataset',
  datasetpersistentid: 'dataset',
  fileurl: 'url',
  downloadurl: 'url',
  datasetversion: 'version',
  filepath: 'path',
  directorylabel: 'directory',
  folder: 'directory',
  filename: 'name',
  label: 'name',
  checksumvalue: 'checksum',
  algorithm: 'checksumtype',
  checksumalgorithm: 'checksumtype',
  filesize: 'size',
  bytes: 'size',
  sizeinbytes: 'size',
}

const KNOWN = new Map<string, Role>([...ROLES.map((role) => [role, role] as const), ...Object.entries(SPELLINGS)])

/** The roles that can name what to fetch, in the order in which a row's values are tried. */
export const NAMING: readonly Role[] = ['file', 'id', 'ids', 'url', 'pid', 'dataset']

/** A cell as people see it; names of files and folders keep every character. */
export function cellOf(role: Role, cell: string): string {
  return role === 'path' || role === 'directory' || role === 'name' ? cell : clean(cell)
}

/** The role of a header name such as `fileId`, `File ID` or `file_id`; undefined for a column that says nothing to us. */
export function roleOf(name: string): Role | undefined {
  return name.length > MAX_NAME ? undefined : KNOWN.get(normal(name))
}

/**
 * Names that known tools write beside those above and that say nothing about what to fetch: no word is lost on them. Of ours
 * `code` and `message`; `state` of GDC manifests; the members of Dataverse's own file descriptions, as people flatten them.
 */
const FAMILIAR = new Set([
  ...['code', 'message', 'state', 'status', 'description', 'title'],
  ...['restricted', 'categories', 'tags', 'contenttype', 'mimetype', 'friendlytype', 'storageidentifier', 'pidurl'],
  ...['datasetversionid', 'rootdatafileid', 'tabulardata', 'tabulartags', 'unf', 'creationdate', 'publicationdate'],
  ...['lastupdatetime', 'fileaccessrequest', 'originalfileformat', 'originalformatlabel', 'originalfilesize'],
  ...['originalfilename', 'previousdatafileid', 'embargo', 'retention', 'citation', 'publisher'],
])

/** What a name that is no known column is: one that tools write, a misspelling of `meant`, or something of the user's own. */
export type Unknown = { readonly kind: 'familiar' | 'other' } | { readonly kind: 'misspelt'; readonly meant: string }

/**
 * Judges a header name without a role. It is a misspelling when at most two letters differ from a known name; of a name of
 * four or five letters one, and of shorter ones none, since `note` and `date` are words of their own beside `name`.
 */
export function judgeUnknown(name: string): Unknown {
  const plain = name.length > MAX_NAME ? '' : normal(name)
  if (FAMILIAR.has(plain)) return { kind: 'familiar' }
  const meant = [...KNOWN.keys()].find((known) => editDistance(plain, known) <= allowedEdits(known))
  return meant === undefined ? { kind: 'other' } : { kind: 'misspelt', meant }
}

const MAX_NAME = 40

function allowedEdits(known: string): number {
  if (known.length < 4) return 0
  return known.length < 6 ? 1 : 2
}

function normal(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}
