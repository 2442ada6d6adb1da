import { constants } from 'node:fs'
import { access, lstat, mkdir, open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { LRUCache } from 'lru-cache'
import { DataferryError, systemCode } from '../../errors.ts'
import { unless } from './errors.ts'
import { RECORDS_FOLDER } from '../names.ts'

/** Folders remembered as checked; a forgotten one costs a few system calls. */
const REMEMBERED_FOLDERS = 20_000

/** Some file systems (CIFS, FUSE, 9p) do not sync folders and say so with these; nothing more can be done. */
const CANNOT_SYNC: readonly string[] = ['EINVAL', 'ENOTSUP', 'EBADF', 'EISDIR']

/**
 * Creates, checks and syncs the folders below one root. Names are relative, `/` between segments, '' is the root.
 * Each folder is checked once and then remembered, so that the second file in it costs nothing.
 */
export class Folders {
  readonly #root: string
  readonly #pins: boolean
  readonly #known = new LRUCache<string, Promise<void>>({ max: REMEMBERED_FOLDERS })
  readonly #syncing = new Map<string, Promise<void>>()
  readonly #waiting = new Map<string, Promise<void>>()

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

  /** Creates the folder and does the work in it, as `#within`; retries once if the folder was removed in between. */
  async inside<T>(folder: string, work: (path: string) => Promise<T>): Promise<T> {
    await this.make(folder)
    try {
      return await this.#within(folder, work)
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error
      this.forget(folder)
      await this.make(folder)
      return this.#within(folder, work)
    }
  }

  /**
   * Runs `work` with a path that keeps pointing at that very folder, even if it is swapped for a link meanwhile: on
   * Linux that of an open handle. Rejects with `SINK_DENIED` when the folder lies outside the root.
   */
  async #within<T>(folder: string, work: (path: string) => Promise<T>): Promise<T> {
    const path = this.path(folder)
    const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
    const pinned = this.#pins ? pathOf(handle) : path
    try {
      this.#checkInside(folder, await (this.#pins ? readlink(pinned) : realpath(path)))
      return await work(pinned)
    } catch (error) {
      throw renamed(error, pinned, path)
    } finally {
      await handle.close()
    }
  }

  /** Forgets a folder and its parents: one of them was removed. */
  forget(folder: string): void {
    for (let name = folder; !isGiven(name); name = parentOf(name)) this.#known.delete(name)
  }

  /**
   * Makes changes to a folder's names durable. Calls that wait for the same folder share one sync that begins
   * after all of them.
   */
  sync(folder: string): Promise<void> {
    const waiting = this.#waiting.get(folder)
    if (waiting) return waiting
    const running = this.#syncing.get(folder)
    if (!running) return this.#sync(folder)
    const next = running
      .catch(() => undefined)
      .then(() => {
        this.#waiting.delete(folder)
        return this.#sync(folder)
      })
    this.#waiting.set(folder, next)
    return next
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
      await mkdir(this.path(folder))
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error
      if (!(await lstat(this.path(folder))).isDirectory()) await this.#checkLink(folder)
      return
    }
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

  #sync(folder: string): Promise<void> {
    const sync = syncFolder(this.path(folder)).finally(() => {
      if (this.#syncing.get(folder) === sync) this.#syncing.delete(folder)
    })
    this.#syncing.set(folder, sync)
    return sync
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
  const first = await mkdir(root, { recursive: true })
  if (first !== undefined) {
    for (let folder = dirname(root); folder.length >= dirname(first).length; folder = dirname(folder)) {
      await syncFolder(folder)
      if (folder === dirname(folder)) break
    }
  }
  return realpath(root)
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await unless(CANNOT_SYNC, handle.sync())
  } finally {
    await handle.close()
  }
}
