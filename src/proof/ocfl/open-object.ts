import type { DataferryError } from '../../errors.ts'
import { refusal } from './contents.ts'
import {
  ADDRESSING,
  datasetVersionOf,
  newestVersion,
  OBJECT_DECLARATION,
  readInventory,
  sidecarName,
  sidecarText,
  versionNumber,
  type Inventory,
} from './inventory.ts'
import type { Objects } from './objects.ts'

/** An object as it is now; undefined: there is none. */
export interface OpenedObject {
  readonly inventory: Inventory
  /** Of `inventory.json`, as it is in its sidecar. */
  readonly sidecar: string
  /** A version that a try of ours has begun. */
  readonly unfinished?: string | undefined
}

/**
 * Reads an object that we wrote, and finishes a version that was not published in full. Rejects with `OCFL_REFUSED` for an object
 * that another program has touched, or that is not as its inventory says; with `SINK_BUSY` where another process finishes it.
 * @param id which it has to have; undefined: any
 */
export async function openObject(objects: Objects, path: string, id?: string): Promise<OpenedObject | undefined> {
  for (;;) {
    const names = await objects.list(path)
    try {
      return await openAs(names, objects, path, id)
    } catch (error) {
      // Another process may have shown a version meanwhile: then what was listed and what was read do not belong together.
      if ((await objects.list(path)).length <= names.length) throw error
    }
  }
}

async function openAs(
  names: readonly string[],
  objects: Objects,
  path: string,
  id: string | undefined,
): Promise<OpenedObject | undefined> {
  if (names.length === 0) return undefined
  const refused = (why: string): DataferryError => refusal(id ?? 'a dataset', path, why)
  const unfinished = await objects.unfinished(path)
  const isPart = unfinished !== undefined && !(await isWhole(objects, `${path}/${unfinished}`))
  const isDeclared = names.includes(OBJECT_DECLARATION)
  // What comes last is lacking.
  if (!isDeclared && unfinished === 'v1' && isPart) return undefined
  if (!isDeclared && unfinished !== 'v1') throw refused('it is no object of OCFL 1.1')
  const folders = names.filter((name) => /^v\d+$/.test(name))
  const versions = isPart ? folders.filter((name) => name !== unfinished) : folders
  const newest = newestVersion(versions)
  if (newest === undefined) throw refused('it has no version')
  const bytes = await objects.read(`${path}/${newest}/inventory.json`)
  const inventory = bytes && readInventory(bytes)
  if (!bytes || !inventory) throw refused(`the inventory of ${newest} cannot be read`)
  const sidecar = sidecarText(bytes, inventory.digestAlgorithm)
  const name = sidecarName(inventory.digestAlgorithm)
  if (!(await isText(objects, `${path}/${newest}/${name}`, sidecar))) {
    throw refused(`the inventory of ${newest} is not what its sidecar says`)
  }
  if (id !== undefined && inventory.id !== id) throw refused(`it is the object of ${inventory.id}`)
  if (inventory.head !== newest || Object.keys(inventory.versions).length !== versions.length) {
    throw refused('its folders are not those of its inventory')
  }
  const foreign = Object.entries(inventory.versions).find(([, version]) => datasetVersionOf(version) === undefined)
  if (foreign) throw refused(`another program wrote ${foreign[0]}`)
  const strange = names.filter((one) => !isOwn(one) && !folders.includes(one))
  if (strange.length > 0) throw refused(`another program wrote ${strange.join(', ')}`)
  const current = await objects.read(`${path}/inventory.json`)
  if (current && !Buffer.from(current).equals(bytes)) {
    const known = readInventory(current)
    // Ours is the only next version that can have begun.
    if (!known || versionNumber(known.head) !== versionNumber(newest) - 1) throw refused('its inventory was changed')
  }
  const isShown = isDeclared && current && Buffer.from(current).equals(bytes)
  if (!isShown || !(await isText(objects, `${path}/${name}`, sidecar))) {
    const algorithm = inventory.digestAlgorithm
    await objects.finish(path, { algorithm, version: newest, before: current, inventory: bytes, sidecar })
  }
  return { inventory, sidecar, unfinished: isPart ? unfinished : undefined }
}

/** Whether a version has all its files: its sidecar comes last. */
export async function isWhole(objects: Objects, path: string): Promise<boolean> {
  const bytes = await objects.read(`${path}/inventory.json`)
  const algorithm = bytes && readInventory(bytes)?.digestAlgorithm
  if (!bytes || !algorithm) return false
  return isText(objects, `${path}/${sidecarName(algorithm)}`, sidecarText(bytes, algorithm))
}

function isOwn(name: string): boolean {
  return [OBJECT_DECLARATION, 'inventory.json', ...ADDRESSING.map(sidecarName)].includes(name)
}

async function isText(objects: Objects, path: string, text: string): Promise<boolean> {
  const found = await objects.read(path)
  return found !== undefined && Buffer.from(found).toString('utf8').replace(/\s+/, ' ') === text
}
