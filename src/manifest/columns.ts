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

/** The role of a header name such as `fileId`, `File ID` or `file_id`; undefined for a column that says nothing to us. */
export function roleOf(name: string): Role | undefined {
  return KNOWN.get(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))
}
