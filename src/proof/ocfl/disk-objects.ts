import { mkdirSync, renameSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { systemCode } from '../../errors.ts'
import { newOwner, ownerLiveness, ownProcess } from '../../process/process-identity.ts'
import { writeAt } from '../../sinks/disk/bytes.ts'
import { syncFolder } from '../../sinks/disk/folders.ts'
import { linkOrCopy } from '../../sinks/disk/places.ts'
import { diskTree, type TreeEntry } from '../tree.ts'
import { declarationText, OBJECT_DECLARATION, sidecarName, type Addressing } from './inventory.ts'
import { EXTENSIONS, type Objects, type StagedVersion, type WholeVersion } from './objects.ts'

/** Where versions grow. */
const STAGING = 'dataferry-staging-'

/** The objects of a storage root on disk: a version grows beside its object, and joins it by being renamed. */
export class DiskObjects implements Objects {
  readonly #root: string
  readonly #home: string

  /** @param home what places of files to adopt are relative to */
  constructor(root: string, home = root) {
    this.#root = root
    this.#home = home
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(join(this.#root, path))
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '')) return undefined
      throw error
    }
  }

  async list(path: string): Promise<readonly string[]> {
    try {
      return await readdir(join(this.#root, path))
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return []
      throw error
    }
  }

  files(path: string): AsyncIterable<TreeEntry> {
    return diskTree(join(this.#root, path)).list()
  }

  async replace(path: string, content: string | Uint8Array): Promise<void> {
    const whole = join(this.#root, path)
    await mkdir(dirname(whole), { recursive: true })
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

  async tidy(): Promise<void> {
    for (const name of await this.list(EXTENSIONS)) {
      if (!name.startsWith(STAGING)) continue
      if ((await ownerLiveness(name.slice(STAGING.length))) !== 'dead') continue
      await rm(join(this.#root, EXTENSIONS, name), { recursive: true, force: true })
    }
  }

  /** A version shows when it is whole. */
  unfinished(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async finish(object: string, { algorithm, inventory, sidecar }: WholeVersion): Promise<void> {
    await this.replace(`${object}/inventory.json`, inventory)
    await this.replace(`${object}/${sidecarName(algorithm)}`, sidecar)
  }

  async remove(object: string): Promise<void> {
    const folder = await this.#stagingFolder()
    try {
      await rename(join(this.#root, object), join(folder, 'object'))
      // A storage root has no empty folders.
      for (let at = dirname(object); at !== '.'; at = dirname(at)) await rmdir(join(this.#root, at))
    } catch (error) {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) throw error
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  async stage(object: string, version: string, algorithm: Addressing): Promise<StagedVersion> {
    const folder = await this.#stagingFolder()
    const target = join(this.#root, object)
    const folders = new Set<string>([folder])
    const placeFor = async (path: string): Promise<string> => {
      const whole = join(folder, path)
      await mkdir(dirname(whole), { recursive: true })
      for (let at = dirname(whole); at.length > folder.length; at = dirname(at)) folders.add(at)
      return whole
    }
    return {
      write: async (path, chunks) => {
        const whole = await placeFor(path)
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
      adopt: async (path, from) => {
        await linkOrCopy(join(this.#home, from), await placeFor(path))
      },
      drop: (path) => rm(join(folder, path), { force: true }),
      publish: async (inventory, sidecar) => {
        await mkdir(join(folder, version), { recursive: true })
        for (const at of [version, '']) {
          await writeSynced(join(folder, at, 'inventory.json'), inventory)
          await writeSynced(join(folder, at, sidecarName(algorithm)), sidecar)
        }
        await removeEmpty(join(folder, version))
        if (version === 'v1') await writeSynced(join(folder, OBJECT_DECLARATION), declarationText(OBJECT_DECLARATION))
        for (const one of folders) await syncFolder(one).catch(() => undefined)
        if (version === 'v1') {
          mkdirSync(dirname(target), { recursive: true })
          renameSync(folder, target)
        } else {
          // Until the second step a reader finds the old head, and from then on the new one, whose sidecar may be late.
          for (const name of [version, 'inventory.json', sidecarName(algorithm)]) {
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
