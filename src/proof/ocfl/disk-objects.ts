import { mkdirSync, renameSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../../errors.ts'
import { newOwner, ownerLiveness, ownProcess } from '../../process/process-identity.ts'
import { writeAt } from '../../sinks/disk/bytes.ts'
import { syncFolder } from '../../sinks/disk/folders.ts'
import { OBJECT_DECLARATION, sidecarName, type Addressing } from './inventory.ts'

/** Where versions grow: validators leave what is in `extensions` alone. */
const EXTENSIONS = 'extensions'
const STAGING = 'dataferry-staging-'

/** A version that is being made, beside its object. Disposing drops what was not published. */
export interface StagedVersion extends AsyncDisposable {
  /** Adds a file of the version, by its path in the object. */
  write(path: string, chunks: AsyncIterable<Uint8Array>): Promise<void>
  /** Drops a file again, or one that was never written. */
  drop(path: string): Promise<void>
  /**
   * Shows the version: a new object in one step; a further version in three, after each of which a rerun finishes, since the
   * version holds its own inventory.
   */
  publish(inventory: string, sidecar: string): Promise<void>
}

/** The objects of a storage root on disk. */
export class DiskObjects {
  readonly #root: string

  constructor(root: string) {
    this.#root = root
  }

  /** A small file; undefined: not there. */
  async read(path: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(join(this.#root, path))
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) return undefined
      throw error
    }
  }

  /** What is directly in a folder. */
  async list(path: string): Promise<readonly string[]> {
    try {
      return await readdir(join(this.#root, path))
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return []
      throw error
    }
  }

  /** Writes a small file in one step. */
  async replace(path: string, content: string | Uint8Array): Promise<void> {
    const whole = join(this.#root, path)
    await mkdir(dirname(whole), { recursive: true })
    await mkdir(join(this.#root, EXTENSIONS), { recursive: true })
    const folder = await this.#stagingFolder()
    try {
      const temporary = join(folder, 'file')
      await writeSynced(temporary, content)
      renameSync(temporary, whole)
      await syncFolder(dirname(whole))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  /** Removes what processes left that are dead. */
  async tidy(): Promise<void> {
    for (const name of await this.list(EXTENSIONS)) {
      if (!name.startsWith(STAGING)) continue
      if ((await ownerLiveness(name.slice(STAGING.length))) !== 'dead') continue
      await rm(join(this.#root, EXTENSIONS, name), { recursive: true, force: true })
    }
  }

  /** Begins a version of an object: `v1` makes the object. */
  async stage(object: string, version: string, algorithm: Addressing): Promise<StagedVersion> {
    const folder = await this.#stagingFolder()
    const target = join(this.#root, object)
    const folders = new Set<string>([folder])
    return {
      write: async (path, chunks) => {
        const whole = join(folder, path)
        await mkdir(dirname(whole), { recursive: true })
        for (let at = dirname(whole); at.length > folder.length; at = dirname(at)) folders.add(at)
        const file = await open(whole, 'wx')
        try {
          let size = 0
          for await (const chunk of chunks) {
            await writeAt(file, chunk, size)
            size += chunk.length
          }
          await file.sync()
        } finally {
          await file.close()
        }
      },
      drop: (path) => rm(join(folder, path), { force: true }),
      publish: async (inventory, sidecar) => {
        await mkdir(join(folder, version), { recursive: true })
        for (const at of [version, '']) {
          await writeSynced(join(folder, at, 'inventory.json'), inventory)
          await writeSynced(join(folder, at, sidecarName(algorithm)), sidecar)
        }
        await removeEmpty(join(folder, version))
        if (version === 'v1') await writeSynced(join(folder, OBJECT_DECLARATION), `${OBJECT_DECLARATION.slice(2)}\n`)
        for (const one of folders) await syncFolder(one).catch(() => undefined)
        if (version === 'v1') {
          mkdirSync(dirname(target), { recursive: true })
          renameSync(folder, target)
        } else {
          for (const name of [version, sidecarName(algorithm), 'inventory.json']) {
            renameSync(join(folder, name), join(target, name))
          }
          await syncFolder(target)
        }
        for (let at = dirname(target); at.length >= this.#root.length; at = dirname(at)) await syncFolder(at)
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    }
  }

  async #stagingFolder(): Promise<string> {
    const folder = join(this.#root, EXTENSIONS, `${STAGING}${newOwner(await ownProcess())}`)
    await mkdir(folder, { recursive: true })
    return folder
  }
}

async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Folders in which all files turned out to be there already. @returns whether this one is left */
async function removeEmpty(folder: string): Promise<boolean> {
  let left = false
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const isKept = !entry.isDirectory() || (await removeEmpty(join(folder, entry.name)))
    left ||= isKept
  }
  if (!left) await rm(folder, { recursive: true })
  return left
}
