import { z } from 'zod'
import type { ExternalSort } from '../../../batch/external-sort.ts'
import type { TreeEntry } from '../../tree.ts'
import type { FoundObject } from './validate-object.ts'

/** See `TreeEntry`, for what is sorted. */
export const entrySchema = z.object({
  path: z.string(),
  size: z.number(),
  kind: z.enum(['file', 'link', 'other', 'empty', 'unreadable']),
})

/**
 * The order in which objects can be told from one another: what is in a folder is together, and its files come before its folders.
 * A name holds no NUL.
 */
export function orderOf({ path, kind }: TreeEntry): string {
  const names = path.split('/')
  const last = names.pop() ?? ''
  const folders = names.map((name) => `1${name}\0`).join('')
  return `${folders}${kind === 'empty' ? '1' : '0'}${last}\0`
}

/** An object, what is directly in the root or its extensions, or what belongs to nothing. */
export type Found = (FoundObject & { readonly kind: 'object' }) | Surroundings
export interface Surroundings {
  readonly kind: 'root' | 'extension' | 'stray'
  readonly entry: TreeEntry
}

/** Files by which a folder is known to be an object, also where its declaration is missing. */
const MARKS = /^(?:[^/]{0,8}=ocfl_object_|inventory\.json(?:$|\.))/

/** Tells what is in a storage root apart. An object is held as a whole; of its surroundings nothing is. */
export async function* findObjects(entries: ExternalSort<TreeEntry>): AsyncGenerator<Found, void> {
  /** Files of one folder that is not known to be an object yet, or all of an object. */
  let group: { root: string; isObject: boolean; entries: TreeEntry[] } | undefined
  for await (const entry of entries.values()) {
    const { path, kind } = entry
    const slash = path.lastIndexOf('/')
    const folder = path.slice(0, Math.max(0, slash))
    if (group?.isObject === true && path.startsWith(`${group.root}/`)) {
      group.entries.push(entry)
      continue
    }
    if (group && (group.isObject || folder !== group.root)) {
      yield* ended(group)
      group = undefined
    }
    if (slash < 0) yield { kind: 'root', entry }
    else if (path.startsWith('extensions/')) yield { kind: 'extension', entry }
    else if (kind === 'empty') yield { kind: 'stray', entry }
    else {
      group ??= { root: folder, isObject: false, entries: [] }
      group.entries.push(entry)
      group.isObject ||= MARKS.test(path.slice(slash + 1))
    }
  }
  if (group) yield* ended(group)
}

function* ended(group: {
  readonly root: string
  readonly isObject: boolean
  readonly entries: readonly TreeEntry[]
}): Generator<Found, void> {
  const { root, isObject, entries } = group
  if (isObject) yield { kind: 'object', root, entries }
  else for (const entry of entries) yield { kind: 'stray', entry }
}
