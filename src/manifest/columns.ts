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

/** Other spellings, as people and tools write them, without case, spaces and punctuation. */
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
  // As the Search API writes them.
  globalid: 'dataset',
  dataseturl: 'dataset',
  fileurl: 'url',
  downloadurl: 'url',
  persistenturl: 'url',
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

/** Every known name, without case, spaces and punctuation. */
export const KNOWN: ReadonlyMap<string, Role> = new Map<string, Role>([
  ...ROLES.map((role) => [role, role] as const),
  ...Object.entries(SPELLINGS),
])

/** Longest name, in characters; a longer one is unknown. */
const MAX_NAME = 40

/** `File ID`, `file_id` → `fileid`; '' for a name that is too long to be known. */
export function plainName(name: string): string {
  return name.length > MAX_NAME ? '' : name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

/** The roles that can name what to fetch, in the order in which a row's values are tried. */
export const NAMING: readonly Role[] = ['file', 'id', 'ids', 'url', 'pid', 'dataset']

/** A cell as people see it; names of files and folders keep every character. */
export function cellOf(role: Role, cell: string): string {
  return role === 'path' || role === 'directory' || role === 'name' ? cell : clean(cell)
}

/** The role of a header name such as `fileId`, `File ID` or `file_id`; undefined for an unknown column. */
export function roleOf(name: string): Role | undefined {
  return KNOWN.get(plainName(name))
}
