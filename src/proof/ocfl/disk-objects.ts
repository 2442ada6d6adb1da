import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DataferryError, systemCode } from '../../errors.ts'
import { writeAt } from '../../sinks/disk/bytes.ts'
import { ABSENT, OCCUPIED, unless } from '../../sinks/disk/errors.ts'
import { syncFolder } from '../../sinks/disk/folders.ts'
import { linkOrCopy } from '../../sinks/disk/places.ts'
import { diskTree, type TreeEntry } from '../tree.ts'
import type { BegunVersion } from './begun-version.ts'
import { declarationText, newestVersion, OBJECT_DECLARATION, sidecarName, type Addressing } from './inventory.ts'
import type { Objects, StagedVersion, WholeVersion } from './objects.ts'
import { Staging, writeSynced } from './staging.ts'

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
    await using staging = await Staging.make(this.#root)
    await writeSynced(join(staging.folder, 'file'), content)
    await rename(join(staging.folder, 'file'), whole)
    await syncFolder(dirname(whole))
  }

  showing(): AsyncIterable<BegunVersion> {
    return Staging.showing(this.#root)
  }

  async tidy(finish: (object: string) => Promise<void>): Promise<void> {
    for await (const left of Staging.abandoned(this.#root)) {
      const begun = await left.begun()
      if (begun) await finish(begun.object)
      // Only now: where finishing fails, the next one to come tries again.
      await left[Symbol.asyncDispose]()
    }
  }

  /** A version shows when it is whole. */
  unfinished(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async finish(object: string, { algorithm, version, before, inventory, sidecar }: WholeVersion): Promise<void> {
    const target = join(this.#root, object)
    await using staging = await Staging.make(this.#root)
    await writeSynced(join(staging.folder, 'inventory.json'), inventory)
    await writeSynced(join(staging.folder, sidecarName(algorithm)), sidecar)
    // Another process may have finished it, and gone on. Nothing is awaited between the look and the renames.
    const isNewest = newestVersion(readdirSync(target)) === version
    if (!isNewest || !sameBytes(before, readIfThere(join(target, 'inventory.json')))) throw busy(object)
    moveAll(staging.folder, target, ['inventory.json', sidecarName(algorithm)])
    await syncFolder(target)
  }

  async remove(object: string): Promise<void> {
    await using staging = await Staging.make(this.#root)
    try {
      await rename(join(this.#root, object), join(staging.folder, 'object'))
      // A storage root has no empty folders.
      for (let at = dirname(object); at !== '.'; at = dirname(at)) await rmdir(join(this.#root, at))
    } catch (error) {
      if (![...ABSENT, ...OCCUPIED].includes(systemCode(error) ?? '')) throw error
    }
  }

  async stage(object: string, version: string, algorithm: Addressing): Promise<StagedVersion> {
    await this.#refuseLinks(object)
    const staging = await Staging.make(this.#root)
    const { folder } = staging
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
        for (const one of folders) await unless(ABSENT, syncFolder(one))
        if (version === 'v1') {
          shown(object, () => {
            mkdirSync(dirname(target), { recursive: true })
            renameSync(folder, target)
          })
        } else {
          await staging.note({ object, version })
          // One right after the other: until the second one a reader finds the old head, and from then on the new one.
          const names = [version, 'inventory.json', sidecarName(algorithm)]
          shown(object, () => moveAll(folder, target, names))
          await syncFolder(target)
        }
        for (let at = dirname(target); at.length >= this.#root.length; at = dirname(at)) await syncFolder(at)
      },
      [Symbol.asyncDispose]: () => staging[Symbol.asyncDispose](),
    }
  }

  /** What is behind a link is not in the storage root. @see https://ocfl.io/1.1/spec/ E090 */
  async #refuseLinks(object: string): Promise<void> {
    for (let at = object; at !== '.'; at = dirname(at)) {
      const place = join(this.#root, at)
      if ((await unless(ABSENT, lstat(place)))?.isSymbolicLink() !== true) continue
      throw new DataferryError(
        'OCFL_REFUSED',
        `${place} is a link, which a storage root must not have: nothing is written behind it.`,
      )
    }
  }
}

/** Without a pause in which other work of this process could come: the shorter, the rarer is a kill in between. */
function moveAll(from: string, to: string, names: readonly string[]): void {
  for (const name of names) renameSync(join(from, name), join(to, name))
}

/** A folder is in the way where another process has shown the same version. */
function shown(object: string, show: () => void): void {
  try {
    show()
  } catch (error) {
    throw OCCUPIED.includes(systemCode(error) ?? '') ? busy(object) : error
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  return one && other ? Buffer.from(one).equals(other) : one === other
}

function busy(object: string): DataferryError {
  return new DataferryError('SINK_BUSY', `Another process is writing the object at ${object}.`)
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
