import { existsSync } from 'node:fs'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `f_type` of tmpfs. @see linux/magic.h */
const TMPFS = 0x01021994
const MEMORY = '/dev/shm'

/** A folder for what is downloaded; disposing removes it with everything in it. */
export interface Scratch extends AsyncDisposable {
  readonly path: string
  /** Whether it lies in memory: then no disk limits the numbers. */
  readonly memory: boolean
}

/**
 * Makes a folder below `parent`, else in memory where that has room for `bytes`, else in the temporary folder.
 * Rejects when there is no room.
 */
export async function scratch(bytes: number, parent?: string): Promise<Scratch> {
  const fitting = parent ?? ((await hasRoom(MEMORY, bytes)) ? MEMORY : tmpdir())
  if (!(await hasRoom(fitting, bytes)))
    throw new Error(`${fitting} has no room for ${bytes} bytes: name a folder with --dir.`)
  const path = await mkdtemp(join(fitting, 'dataferry-bench-'))
  const { type } = await statfs(path)
  return {
    path,
    memory: type === TMPFS,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

async function hasRoom(folder: string, bytes: number): Promise<boolean> {
  if (!existsSync(folder)) return false
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize > bytes
}
