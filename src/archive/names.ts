import { hostile } from './damage.ts'

const SYMBOLIC_LINK = 0o120000
const FILE_TYPE = 0o170000
const UNIX = 3

/**
 * Refuses names that would escape the folder they are unpacked into, on any system: `..` segments, absolute paths,
 * drive letters, NUL. A backslash counts as a separator, as it does on Windows. Throws `ZIP_HOSTILE`.
 */
export function refuseUnsafeName(name: string): void {
  const segments = name.split(/[/\\]/)
  if (name === '' || segments[0] === '' || segments.includes('..') || /^[A-Za-z]:/.test(name) || name.includes('\0')) {
    throw hostile(`The archive has an entry whose name leaves the folder: ${JSON.stringify(name.slice(0, 200))}.`)
  }
}

/** Refuses a symbolic link, through which a later entry could escape the folder. Throws `ZIP_HOSTILE`. */
export function refuseLink(name: string, versionMadeBy: number, externalAttributes: number): void {
  if (versionMadeBy >>> 8 !== UNIX || ((externalAttributes >>> 16) & FILE_TYPE) !== SYMBOLIC_LINK) return
  throw hostile(`The archive has a symbolic link: ${JSON.stringify(name.slice(0, 200))}.`)
}

/** Folders are entries whose name ends in a slash. */
export function isFolder(name: string): boolean {
  return name.endsWith('/')
}

/**
 * Undoes what Dataverse does to a name that is already in the archive: `a/x_2.csv` → `a/x.csv`.
 * @returns undefined when the name has no such ending.
 * @see DataFileZipper.java, checkZipEntryName: `_1`, `_2`, … go before the last `.` of the full path, or to its end.
 */
export function withoutSuffix(name: string): string | undefined {
  const dot = name.lastIndexOf('.')
  const head = dot === -1 ? name : name.slice(0, dot)
  const suffix = /_[1-9]\d*$/.exec(head)
  return suffix === null ? undefined : head.slice(0, suffix.index) + (dot === -1 ? '' : name.slice(dot))
}
