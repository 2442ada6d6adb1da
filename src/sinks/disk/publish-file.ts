import { open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ABSENT, unless } from './errors.ts'
import { parentOf } from './folders.ts'
import type { Workspace } from './workspace.ts'

/**
 * Makes a whole file that shows when it is complete and durable, in one step, in the place of what was there: written beside
 * the parts, where others remove it should this process die, synced, renamed, and its folder synced.
 * @param name relative to the root, `/` between segments
 * @param show puts the written file at its path; default: in one step, in the place of what was there
 */
export async function publishFile(
  { claims, folders, heartbeat }: Pick<Workspace, 'claims' | 'folders' | 'heartbeat'>,
  name: string,
  write: (handle: FileHandle) => Promise<void>,
  show: (temporary: string, path: string) => Promise<void> = rename,
): Promise<void> {
  await heartbeat.start()
  const temporary = claims.temporary()
  try {
    const handle = await open(temporary, 'wx')
    try {
      await write(handle)
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await folders.change(parentOf(name), (folder) => show(temporary, join(folder, basename(name))))
  } catch (error) {
    await unless(ABSENT, unlink(temporary))
    throw error
  }
}
