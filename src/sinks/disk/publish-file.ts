import { open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ABSENT, unless } from './errors.ts'
import { parentOf } from './folders.ts'
import type { Workspace } from './workspace.ts'

/**
 * Makes a whole file that shows when it is complete and durable, in one step, in the place of what was there: written beside
 * the parts, where others remove it should this process die, synced, renamed, and its folder synced.
 * @param name relative to the root, `/` between segments
 * @param beforehand called just before with the path at which the file is going to show; it does not show when that rejects
 */
export async function publishFile(
  { claims, folders, heartbeat }: Pick<Workspace, 'claims' | 'folders' | 'heartbeat'>,
  name: string,
  write: (handle: FileHandle) => Promise<void>,
  beforehand: (path: string) => Promise<void> = () => Promise.resolve(),
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
    await folders.change(parentOf(name), async (folder) => {
      const path = join(folder, basename(name))
      await beforehand(path)
      await rename(temporary, path)
    })
  } catch (error) {
    await unless(ABSENT, unlink(temporary))
    throw error
  }
}
