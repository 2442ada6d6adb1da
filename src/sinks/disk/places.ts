import { constants } from 'node:fs'
import { copyFile, link, lstat, open, rename, unlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { systemCode } from '../../errors.ts'
import { ABSENT, NO_LINKS, unless } from './errors.ts'
import { isWithin, parentOf } from './folders.ts'
import type { Linked } from '../sink.ts'
import type { Workspace } from './workspace.ts'

/** Puts committed files elsewhere within a root, each in one durable step. */
export class Places {
  readonly #root: string
  readonly #workspace: Workspace

  constructor(root: string, workspace: Workspace) {
    this.#root = root
    this.#workspace = workspace
  }

  async move(from: string, to: string): Promise<boolean> {
    if (!(await this.#isFile(from))) return false
    await this.#put(to, (target) => rename(join(this.#root, from), target))
    await this.#removed(from)
    return true
  }

  async link(from: string, to: string): Promise<Linked | undefined> {
    if (!(await this.#isFile(from))) return undefined
    const temporary = this.#workspace.claims.temporary()
    try {
      const linked = await linkOrCopy(join(this.#root, from), temporary)
      await this.#put(to, (target) => rename(temporary, target))
      return linked
    } finally {
      // Still there when both were names of one file: then a rename does nothing (POSIX).
      await unless(ABSENT, unlink(temporary))
    }
  }

  async remove(place: string): Promise<void> {
    if (!(await this.#isFile(place))) return
    await unless(ABSENT, unlink(join(this.#root, place)))
    await this.#removed(place)
  }

  async #put(place: string, work: (path: string) => Promise<void>): Promise<void> {
    const { folders } = this.#workspace
    const folder = parentOf(place)
    await folders.check(folder)
    await folders.change(folder, (path) => work(join(path, basename(place))))
  }

  /** Makes it durable that a name has gone, with the folders that are empty now. */
  async #removed(place: string): Promise<void> {
    await this.#workspace.folders.prune(parentOf(place))
  }

  async #isFile(place: string): Promise<boolean> {
    const found = await unless(ABSENT, lstat(join(this.#root, place)))
    return found?.isFile() === true && (await isWithin(this.#root, parentOf(place)))
  }
}

/** Gives a file another name, or makes a copy where the system knows no links, or not one more of this file. Rejects as `link`. */
export async function linkOrCopy(from: string, to: string): Promise<Linked> {
  try {
    await link(from, to)
    return 'linked'
  } catch (error) {
    if (!NO_LINKS.includes(systemCode(error) ?? '')) throw error
    await copyFile(from, to, constants.COPYFILE_FICLONE)
    const handle = await open(to, 'r+')
    await handle.datasync().finally(() => handle.close())
    return 'copied'
  }
}
