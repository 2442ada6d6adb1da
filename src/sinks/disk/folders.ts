import { constants } from 'node:fs'
import { access, lstat, mkdir, open, readlink, realpath, rmdir, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { LRUCache } from 'lru-cache'
import { GroupCommit } from '../../async/group-commit.ts'
import { DataferryError, systemCode } from '../../errors.ts'
import { makeFolders } from '../../make-folders.ts'
import { ABSENT, OCCUPIED, unless } from './errors.ts'
import { RECORDS_FOLDER } from '../names.ts'

/** Folders remembered as checked; a forgotten one costs a few system calls. */
const REMEMBERED_FOLDERS = 20_000

/** Folders whose changes are grouped at the same time. */
const CHANGING_FOLDERS = 1_000

/** Some file systems (CIFS, FUSE, 9p) do not sync folders and say so with these; nothing more can be done. */
const CANNOT_SYNC: readonly string[] = ['EINVAL', 'ENOTSUP', 'EBADF', 'EISDIR']

/** Gives or takes a name in the folder at `path`. Never rejects. */
type Change = (path: string) => Promise<void>

/**
 * Creates, checks and syncs the folders below one root. Names are relative, `/` between segments, '' is the root.
 * Each folder is checked once and then remembered, so that the second file in it costs nothing.
 */
export class Folders {
  readonly #root: string
  readonly #pins: boolean
  readonly #known = new LRUCache<string, Promise<void>>({ max: REMEMBERED_FOLDERS })
  /** Of one that was forgotten too early, two run side by side, which does no harm. */
  readonly #commits = new LRUCache<string, GroupCommit<Change>>({ max: CHANGING_FOLDERS })

  /**
   * @param root absolute, existing, free of symbolic links
   * @param pins whether the system can name the folder behind an open handle
   */
  private constructor(root: string, pins: boolean) {
    this.#root = root
    this.#pins = pins
  }

  /**
   * Creates the root with its parents, and `.dataferry` in it. Neither is ever created again: if they are gone the whole
   * destination is, and its path is another place, such as the mount point of an unmounted disk.
   */
  static async make(root: string): Promise<Folders> {
    const real = await makeRoot(root)
    const folders = new Folders(real, await isNamedByHandles(real))
    await folders.#make(RECORDS_FOLDER)
    return folders
  }

  /** The same, and makes neither: rejects with `ENOENT` where one is missing. */
  static async open(root: string): Promise<Folders> {
    const real = await realpath(root)
    await access(join(real, RECORDS_FOLDER))
    return new Folders(real, await isNamedByHandles(real))
  }

  /**
   * Checks the existing folders of a path, and creates nothing. Rejects with `SINK_EXISTS` when something other than
   * a folder is in the way, with `SINK_DENIED` when a symbolic link leads out of the root.
   */
  async check(folder: string): Promise<void> {
    if (isGiven(folder) || this.#known.has(folder)) return
    await this.check(parentOf(folder))
    const found = await unless(['ENOENT'], lstat(this.path(folder)))
    if (found && !found.isDirectory()) await this.#checkLink(folder)
  }

  /** Makes a folder durable, with its parents; rejects as {@link check}. */
  async make(folder: string): Promise<void> {
    if (isGiven(folder)) return
    const known = this.#known.get(folder)
    if (known) return known
    const making = this.#make(folder)
    this.#known.set(folder, making)
    making.catch(() => this.#known.delete(folder))
    return making
  }

  /**
   * Changes names in a folder, which is made where it is not there, and makes that durable. What comes in one moment for one
   * folder shares its handle and one sync. Once more when the folder was removed in between. On Linux `change` gets a path that
   * stays that very folder, even if somebody swaps it for a link meanwhile: that of an open handle. Rejects with `SINK_DENIED`
   * when the folder lies outside the root.
   */
  async change<T>(folder: string, change: (path: string) => Promise<T>): Promise<T> {
    await this.make(folder)
    try {
      return await this.#join(folder, change)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      this.forget(folder)
      await this.make(folder)
      return this.#join(folder, change)
    }
  }

  /** Makes what happened to a folder's names durable. */
  sync(folder: string): Promise<void> {
    return this.#join(folder, () => Promise.resolve())
  }

  /** Removes a folder and those above it as far as they are empty, and makes durable what was removed. */
  async prune(folder: string): Promise<void> {
    let name = folder
    while (!isGiven(name) && (await this.#isRemoved(name))) name = parentOf(name)
    // Somebody else may remove this one, too.
    await unless(ABSENT, this.sync(name))
  }

  /** Whether a folder is not there any more. */
  async #isRemoved(folder: string): Promise<boolean> {
    this.forget(folder)
    const removing = unless(ABSENT, rmdir(this.path(folder))).then(() => true)
    return (await unless(OCCUPIED, removing)) ?? false
  }

  /** Forgets a folder and its parents: one of them was removed. */
  forget(folder: string): void {
    for (let name = folder; !isGiven(name); name = parentOf(name)) this.#known.delete(name)
  }

  path(folder: string): string {
    return join(this.#root, folder)
  }

  async #make(folder: string): Promise<void> {
    const parent = parentOf(folder)
    await this.make(parent)
    // Creates no folders in a mount point without its disk.
    if (parent === '' && folder !== RECORDS_FOLDER) await access(this.path(RECORDS_FOLDER))
    try {
      await this.#makeIn(parent, folder)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || isGiven(parent)) throw error
      // Another process has removed a folder that is remembered here.
      this.forget(parent)
      await this.make(parent)
      await this.#makeIn(parent, folder)
    }
  }

  /** @param parent of the folder, which is there */
  async #makeIn(parent: string, folder: string): Promise<void> {
    try {
      await mkdir(this.path(folder))
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
      if (!(await lstat(this.path(folder))).isDirectory()) await this.#checkLink(folder)
    }
    // Also where it was there: another process may have made it a moment ago.
    await this.sync(parent)
  }

  /** Accepts a symbolic link to a folder within the root, and nothing else. */
  async #checkLink(folder: string): Promise<void> {
    const target = await unless(['ENOENT', 'ELOOP'], realpath(this.path(folder)))
    if (target === undefined || !(await stat(target)).isDirectory()) {
      throw new DataferryError('SINK_EXISTS', `${this.path(folder)} must be a folder, but something else is there.`)
    }
    this.#checkInside(folder, target)
  }

  /** @param place the real path of the folder */
  #checkInside(folder: string, place: string): void {
    if (isInside(this.#root, place)) return
    this.forget(folder)
    throw new DataferryError('SINK_DENIED', `A link leads out of the destination: ${this.path(folder)} → ${place}.`)
  }

  /** Has a change take part in the next commit of its folder. */
  async #join<T>(folder: string, change: (path: string) => Promise<T>): Promise<T> {
    let end: PromiseSettledResult<T> | undefined
    let pinned = ''
    await this.#commitsOf(folder).add(async (path) => {
      pinned = path
      ;[end] = await Promise.allSettled([change(path)])
    })
    // What failed for one of them is its own affair.
    if (end?.status !== 'fulfilled') throw renamed(end?.reason, pinned, this.path(folder))
    return end.value
  }

  /** On its own: its closure would keep alive what else is in the scope of the function that makes it. */
  #commitsOf(folder: string): GroupCommit<Change> {
    const commits = this.#commits.get(folder) ?? new GroupCommit((group) => this.#commit(folder, group))
    this.#commits.set(folder, commits)
    return commits
  }

  async #commit(folder: string, group: readonly Change[]): Promise<void> {
    const path = this.path(folder)
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    const pinned = this.#pins ? pathOf(handle) : path
    try {
      this.#checkInside(folder, await (this.#pins ? readlink(pinned) : realpath(path)))
      await Promise.all(group.map((change) => change(pinned)))
      await unless(CANNOT_SYNC, handle.sync())
    } catch (error) {
      throw renamed(error, pinned, path)
    } finally {
      await handle.close()
    }
  }
}

function isGiven(folder: string): boolean {
  return folder === '' || folder === RECORDS_FOLDER
}

/** Linux: a link to what a handle has open, wherever that is by now. @see proc_pid_fd(5) */
function pathOf({ fd }: FileHandle): string {
  return `/proc/self/fd/${fd}`
}

async function isNamedByHandles(folder: string): Promise<boolean> {
  const handle = await open(folder, constants.O_RDONLY)
  try {
    return (await readlink(pathOf(handle))) === folder
  } catch {
    return false
  } finally {
    await handle.close()
  }
}

/** The error of a system call with the folder's usual name. */
function renamed(error: unknown, from: string, to: string): unknown {
  if (!(error instanceof Error)) return error
  error.message = error.message.replaceAll(from, to)
  for (const key of ['path', 'dest'] as const) {
    const value: unknown = Reflect.get(error, key)
    if (typeof value === 'string') Reflect.set(error, key, value.replace(from, to))
  }
  return error
}

/** Whether a folder's real path is in the root: not behind a link that leads out. */
export async function isWithin(root: string, folder: string): Promise<boolean> {
  if (folder === '') return true
  const [real, place] = await Promise.all([realpath(root), realpath(join(root, folder))])
  return isInside(real, place)
}

function isInside(root: string, place: string): boolean {
  return place === root || place.startsWith(root.endsWith(sep) ? root : root + sep)
}

/** The folder of a name: `a/b` → `a`, `a` → ''. */
export function parentOf(name: string): string {
  return name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : ''
}

/** Creates an absolute folder with its parents, durable, and resolves to its real path. */
async function makeRoot(root: string): Promise<string> {
  const first = await makeFolders(root)
  if (first !== undefined) {
    for (let folder = dirname(root); folder.length >= dirname(first).length; folder = dirname(folder)) {
      await syncFolder(folder)
      if (folder === dirname(folder)) break
    }
  }
  return realpath(root)
}

/** Makes what happened to a folder's names durable, where its file system can. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await unless(CANNOT_SYNC, handle.sync())
  } finally {
    await handle.close()
  }
}
