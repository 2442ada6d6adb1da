import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, resolve, sep } from 'node:path'
import type { DataAccessApi } from '../../dataverse/data-access-api.ts'
import { DataferryError, systemCode } from '../../errors.ts'
import type { Item } from '../../model/item.ts'
import { NO_PROGRESS } from '../../model/progress-snapshot.ts'
import { sinkError } from '../../sinks/disk/errors.ts'
import { isAmongRecords } from '../../sinks/names.ts'
import type { Context } from '../command.ts'
import type { Sources } from '../sources.ts'
import { startProgress } from '../terminal/progress.ts'
import type { GetRequest } from './request.ts'

/** What the parts of `dataferry get` share. */
export interface GetRun {
  readonly context: Context
  readonly request: GetRequest
  readonly sources: Sources
  readonly api: DataAccessApi
  /** Shows how far an item is: is called with the bytes so far. */
  readonly progress: (item: Pick<Item, 'path' | 'expect'>) => (bytes: number) => void
}

/** Shorter downloads need no progress. */
const SHOWN_AFTER_MS = 1_000

/** The progress of one file at a time; `stop` gives the terminal back. */
export function fileProgress({ out, logsToTerminal }: Context): {
  readonly of: GetRun['progress']
  readonly stop: () => void
} {
  const shown = startProgress({ out, label: 'download', logsToTerminal })
  const of: GetRun['progress'] = ({ path, expect: { size } }) => {
    const known = { batch: path, planned: 1, planComplete: size !== undefined, plannedBytes: size ?? 0 }
    const begun = performance.now()
    return (bytes) => {
      if (performance.now() - begun < SHOWN_AFTER_MS) return
      shown.update({ ...NO_PROGRESS, ...known, bytes, active: [{ path, bytes, size }] })
    }
  }
  return { of, stop: () => shown.stop() }
}

/**
 * Where the bytes of a download go.
 * - `file`: into a folder, under a name, or under the server's own when none was given
 * - `stream`: to standard output, or to something that is no regular file, such as a named pipe; cannot be taken back
 */
export type OutputTarget =
  | { readonly kind: 'file'; readonly folder: string; readonly name: string | undefined }
  | { readonly kind: 'stream'; readonly path: string | undefined; readonly isPipe: boolean }

/** Reads the value of `-o`: a file, a folder (one that is there, or with a `/` at its end), or `-`; nothing: the current folder. */
export async function outputTarget(given: string | undefined): Promise<OutputTarget> {
  if (given === '-') return { kind: 'stream', path: undefined, isPipe: true }
  if (given === '') throw new DataferryError('ARGUMENT_INVALID', '-o is empty: give a file, a folder, or - .')
  const path = resolve(given ?? '.')
  const there = await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw sinkError(error, `write to ${path}`)
  })
  // What a link leads to is replaced, if it may be, and the link stays.
  const place = there ? await realpath(path) : path
  if (isAmongRecords(place)) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      `-o ${given ?? path}: it is among the records of a destination: give another place.`,
    )
  }
  if (there?.isDirectory() || given === undefined || given.endsWith('/') || given.endsWith(sep)) {
    return { kind: 'file', folder: path, name: undefined }
  }
  if (there && !there.isFile()) return { kind: 'stream', path, isPipe: there.isFIFO() }
  return { kind: 'file', folder: dirname(place), name: basename(place) }
}
