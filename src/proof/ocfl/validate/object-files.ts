import { versionNumber } from '../inventory.ts'
import type { TreeEntry } from '../../tree.ts'
import { checkNumbering } from './numbering.ts'
import { REGISTERED, type Tell } from './codes.ts'

/** What is in the folder of an object, by the part that it has in it. */
export interface ObjectFiles {
  /** Names of declarations, and of files that were meant to be one. */
  readonly declarations: readonly string[]
  /** Files directly in it. */
  readonly files: ReadonlySet<string>
  /** By name, in the order of their numbers. */
  readonly versions: ReadonlyMap<string, VersionFiles>
  /** Sizes of everything below versions, by path. */
  readonly sizes: ReadonlyMap<string, number>
}

export interface VersionFiles {
  /** Files directly in it. */
  readonly files: ReadonlySet<string>
  /** Folders directly in it. */
  readonly folders: ReadonlySet<string>
  /** Paths, in the object, of what is deeper. */
  readonly inner: readonly string[]
  /** Paths of empty folders. */
  readonly empty: readonly string[]
}

interface Mutable {
  readonly files: Set<string>
  readonly folders: Set<string>
  readonly inner: string[]
  readonly empty: string[]
}

const VERSION = /^v\d+$/
const DECLARATION = /^[^/]{0,8}=ocfl_object_/

/** Sorts what is in an object, and tells what has no place there. Paths are relative to the object. */
export function sortFiles(entries: readonly TreeEntry[], tell: Tell): ObjectFiles {
  const files = new Set<string>()
  const versions = new Map<string, Mutable>()
  const sizes = new Map<string, number>()
  const foreign = new Set<string>()
  const extensions = new Set<string>()
  for (const { path, size, kind } of entries) {
    const [top = '', second, ...rest] = path.split('/')
    const isFolder = second !== undefined || kind === 'empty'
    if (kind === 'link' || kind === 'other' || kind === 'unreadable') continue
    if (!isFolder) files.add(top)
    else if (VERSION.test(top)) {
      const version = versions.get(top) ?? { files: new Set(), folders: new Set(), inner: [], empty: [] }
      versions.set(top, version)
      addTo(version, second, rest, { path, size, kind })
      if (kind === 'file') sizes.set(path, size)
    } else if (top === 'extensions') {
      if (second === undefined) continue
      if (rest.length === 0 && kind === 'file') tell('E067', path)
      else extensions.add(second)
    } else if (top !== 'logs') foreign.add(top)
  }
  for (const name of foreign) tell('E001', name)
  for (const name of extensions) if (!REGISTERED.has(name)) tell('W013', `extensions/${name}`)
  const names = [...versions.keys()]
  checkNumbering(names, (code, detail) => tell(code, '', detail))
  const padded = names.find((name) => name.startsWith('v0'))
  if (padded !== undefined) tell('W001', padded)
  const ordered = [...versions].toSorted(([a], [b]) => versionNumber(a) - versionNumber(b))
  return {
    declarations: [...files].filter((name) => DECLARATION.test(name)),
    files,
    versions: new Map(ordered),
    sizes,
  }
}

function addTo(version: Mutable, name: string | undefined, rest: readonly string[], { path, kind }: TreeEntry): void {
  if (name === undefined) return
  if (rest.length === 0 && kind === 'file') version.files.add(name)
  else version.folders.add(name)
  if (kind === 'empty') version.empty.push(path)
  else if (rest.length > 0) version.inner.push(path)
}
