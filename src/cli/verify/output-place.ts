import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import { isAmongRecords } from '../../sinks/names.ts'

/** Where a file goes that the user names. */
export interface OutputPlace {
  /** With links followed. */
  readonly path: string
  /** A device or a pipe is written to as it is; a file, or nothing yet, can be replaced. */
  readonly isStream: boolean
}

/**
 * Looks where a file would go. Rejects with `ARGUMENT_INVALID` for a folder, for one in the destination, where it would count as
 * data, and for what cannot be looked at.
 * @param destination URL
 */
export async function outputPlace(flag: string, name: string, destination: string): Promise<OutputPlace> {
  const refusal = (why: string): DataferryError => new DataferryError('ARGUMENT_INVALID', `${flag} ${name}: ${why}`)
  const there = await stat(name).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined
    throw refusal(`it cannot be looked at: ${messageOf(error)}.`)
  })
  if (there?.isDirectory()) throw refusal('it is a folder: give the name of a file.')
  const folder = await realpath(dirname(name)).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') throw refusal(`there is no folder ${dirname(name)}.`)
    throw refusal(`its folder cannot be looked at: ${messageOf(error)}.`)
  })
  const path = there ? await realpath(name).catch(() => name) : join(folder, basename(name))
  if (isAmongRecords(path)) throw refusal('it is among the records of a destination: give another folder.')
  const data = destination.startsWith('file:') ? await realpath(fileURLToPath(destination)).catch(() => '') : ''
  if (data !== '' && path.startsWith(data.endsWith(sep) ? data : data + sep)) {
    throw refusal('it is in the destination, where it would count as data: give another folder.')
  }
  return { path, isStream: there !== undefined && !there.isFile() }
}
