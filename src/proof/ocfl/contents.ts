import { createHash } from 'node:crypto'
import { DataferryError } from '../../errors.ts'
import { ADDRESSING, byPath, OBJECT_DECLARATION, sidecarName, type Inventory } from './inventory.ts'
import type { Objects } from './objects.ts'

/** An object that is not ours to change, or not as its inventory says. */
export function refusal(id: string, path: string, why: string): DataferryError {
  return new DataferryError('OCFL_REFUSED', `The object of ${id} at ${path} is left as it is: ${why}.`, {
    advice: 'Verify it with `dataferry verify` on the storage root, and mend it before anything is added to it.',
  })
}

/** The files of an object by their sizes: what can be told without reading them. */
export class Contents {
  readonly #path: string
  readonly #inventory: Inventory
  /** Bytes, by path in the object. */
  readonly #sizes = new Map<string, number>()

  private constructor(path: string, inventory: Inventory) {
    this.#path = path
    this.#inventory = inventory
  }

  /**
   * Rejects with `OCFL_REFUSED` where content is missing or empty that should not be, and where a file is in no inventory.
   * @param unfinished a version that a try of ours has begun
   */
  static async of(objects: Objects, path: string, inventory: Inventory, unfinished?: string): Promise<Contents> {
    const { id, digestAlgorithm, manifest } = inventory
    const contents = new Contents(path, inventory)
    const digests = byPath(manifest)
    const ofNothing = createHash(digestAlgorithm).digest('hex')
    for await (const { path: file, size, kind } of objects.files(path)) {
      if (isInventory(file) || (unfinished !== undefined && file.startsWith(`${unfinished}/`))) continue
      const digest = digests.get(file)
      if (digest === undefined || kind !== 'file') throw refusal(id, path, `its inventory does not know ${file}`)
      if ((size === 0) !== (digest.toLowerCase() === ofNothing)) {
        throw refusal(id, path, `${file} has ${size} bytes, and is not what its inventory says`)
      }
      contents.#sizes.set(file, size)
    }
    const missing = [...digests.keys()].find((file) => !contents.#sizes.has(file))
    if (missing !== undefined) throw refusal(id, path, `${missing} is missing`)
    return contents
  }

  /** Rejects with `OCFL_REFUSED` where content has another size. Content that came since is not looked at. */
  expect(digest: string, size: number): void {
    const { id, manifest } = this.#inventory
    for (const file of manifest[digest] ?? []) {
      const found = this.#sizes.get(file)
      if (found === undefined || found === size) continue
      throw refusal(id, this.#path, `${file} has ${found} bytes, and should have ${size}`)
    }
  }
}

function isInventory(file: string): boolean {
  if (file === OBJECT_DECLARATION) return true
  const [name = '', ...rest] = file.split('/').toReversed()
  const isAtPlace = rest.length === 0 || (rest.length === 1 && /^v\d+$/.test(rest[0] ?? ''))
  return isAtPlace && ['inventory.json', ...ADDRESSING.map(sidecarName)].includes(name)
}
