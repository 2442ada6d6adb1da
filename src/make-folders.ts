import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { systemCode } from './errors.ts'

/**
 * Creates an absolute folder with its parents. Node's own `recursive` never returns where an existing folder answers that
 * a new one in it is missing, as `/proc` does.
 * @returns the uppermost folder that had to be made; undefined: all were there
 */
export async function makeFolders(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    return await makeFolder(path, mode)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || path === dirname(path)) throw error
  }
  const first = await makeFolders(dirname(path), mode)
  const made = await makeFolder(path, mode)
  return first ?? made
}

/** @returns the path, or undefined where it is a folder already */
async function makeFolder(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode })
    return path
  } catch (error) {
    if (systemCode(error) === 'EEXIST' && (await stat(path)).isDirectory()) return undefined
    throw error
  }
}
