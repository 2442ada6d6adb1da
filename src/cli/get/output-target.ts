import { stat } from 'node:fs/promises'
import { basename, dirname, resolve, sep } from 'node:path'
import { DataferryError, systemCode } from '../../errors.ts'

/**
 * Where the bytes of a download go.
 * - `file`: into a folder, under a name, or under the server's own when none was given
 * - `stream`: to standard output, or to something that is no regular file, such as a named pipe; cannot be taken back
 */
export type OutputTarget =
  | { readonly kind: 'file'; readonly folder: string; readonly name: string | undefined }
  | { readonly kind: 'stream'; readonly path: string | undefined }

/** Reads the value of `-o`: a file, a folder (one that is there, or with a `/` at its end), or `-`; nothing: the current folder. */
export async function outputTarget(given: string | undefined): Promise<OutputTarget> {
  if (given === '-') return { kind: 'stream', path: undefined }
  if (given === '') throw new DataferryError('ARGUMENT_INVALID', '-o is empty: give a file, a folder, or - .')
  const path = resolve(given ?? '.')
  const there = await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined
    throw error
  })
  if (there?.isDirectory() || given === undefined || given.endsWith('/') || given.endsWith(sep)) {
    return { kind: 'file', folder: path, name: undefined }
  }
  if (there && !there.isFile()) return { kind: 'stream', path }
  return { kind: 'file', folder: dirname(path), name: basename(path) }
}
