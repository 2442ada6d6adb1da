import { createHash } from 'node:crypto'
import type { Stated } from '../../batch/known-paths.ts'
import type { MirrorOrder } from '../../mirror/order.ts'
import { ifReadable, readableDatasets } from '../../mirror/check-records.ts'
import { idOf } from '../../mirror/proof.ts'
import { readFiles, readState } from '../../mirror/state.ts'
import type { Checksum } from '../../model/checksum.ts'
import type { Sink } from '../../sinks/sink.ts'
import {
  declarationText,
  newestVersion,
  OBJECT_DECLARATION,
  readInventory,
  sidecarLine,
  sidecarName,
  sidecarText,
  type Addressing,
  type Inventory,
} from './inventory.ts'
import { rootOf } from './mirror-objects.ts'
import type { Objects } from './objects.ts'
import { rootFiles, storageRootAt } from './storage-root.ts'
import { mirrorsOfObjects } from './unfinished.ts'

/** What the objects of mirrors say is there, as receipts under the name of each mirror. */
export async function* objectReceipts(
  sink: Sink,
  signal: AbortSignal,
): AsyncGenerator<{ readonly id: string; readonly receipts: AsyncIterable<Stated> }> {
  for await (const order of mirrorsOfObjects(sink)) {
    yield { id: idOf(order.name), receipts: receiptsOf(sink, order, signal) }
  }
}

/** Tells in which object of a mirror a file is, relative to the destination; undefined: in none. */
export function objectPaths(
  sink: Sink,
  signal: AbortSignal,
): (file: {
  readonly path: string
  readonly mirror?: string | undefined
  readonly dataset?: string | undefined
}) => Promise<string | undefined> {
  const roots = new Map<string, (pid: string) => string>()
  return async ({ path, mirror, dataset }) => {
    if (mirror === undefined || dataset === undefined) return undefined
    const folder = rootOf({ name: mirror })
    if (!path.startsWith(`${folder}/`)) return undefined
    const root = roots.get(mirror) ?? (await storageRootAt({ sink, folder, signal })).layout.pathOf
    roots.set(mirror, root)
    const object = `${folder}/${root(dataset)}`
    return path.startsWith(`${object}/`) ? object : undefined
  }
}

async function* receiptsOf(sink: Sink, order: MirrorOrder, signal: AbortSignal): AsyncGenerator<Stated> {
  const { finishedAt } = (await ifReadable(readState(sink.records, order.name))) ?? {}
  if (finishedAt === undefined) return
  const folder = rootOf(order)
  const root = await storageRootAt({ sink, folder, signal })
  const stated = ({ path, checksum }: ObjectFile): Omit<Stated, 'n'> => {
    return { path: `${folder}/${path}`, ...(checksum && { checksum }), finishedAt, mirror: order.name }
  }
  function* rootReceipts(): Generator<Stated> {
    for (const [path, text] of rootFiles(root.layout)) yield { n: 0, ...stated({ path, checksum: sha256Of(text) }) }
  }
  const unfinished = new Set<string>()
  for await (const { object } of root.objects.showing()) unfinished.add(object)
  let isRoot = false
  for await (const { id, pid, state } of readableDatasets(sink.records, order.name)) {
    if (state === 'purged' || state === 'linked') continue
    const object = root.layout.pathOf(pid)
    const found = await root.objects.list(object)
    if (found.length === 0) {
      const files = (await ifReadable(readFiles(sink.records, order.name, id))) ?? []
      // It was never stored.
      if (!files.some(({ content }) => content?.startsWith(`${folder}/${object}/`))) continue
    }
    if (!isRoot) yield* rootReceipts()
    isRoot = true
    for await (const { path, checksum } of objectFiles(root.objects, object, found)) {
      // Between the steps by which a version is shown these are those of either head.
      const isEither = unfinished.has(object) && isInventoryOf(object, path)
      yield { n: id, dataset: pid, ...stated({ path, checksum: isEither ? undefined : checksum }) }
    }
  }
  // A mirror that never had a dataset has none. To list all of a bucket for this costs much.
  if (!isRoot && (await root.objects.list('')).length > 0) yield* rootReceipts()
}

/** Whether a file is the inventory of an object, or its sidecar. */
function isInventoryOf(object: string, path: string): boolean {
  return path.startsWith(`${object}/inventory.json`)
}

interface ObjectFile {
  readonly path: string
  /** Undefined: nothing tells what it should be. */
  readonly checksum?: Checksum | undefined
}

/**
 * Every file that an object should have. Of one whose inventories cannot be read, those that every object has.
 * @param found names of what is in its folder
 */
async function* objectFiles(objects: Objects, object: string, found: readonly string[]): AsyncGenerator<ObjectFile> {
  const newest = await newestInventory(objects, object, found)
  const { digestAlgorithm: algorithm = 'sha512', manifest = {}, versions = {} } = newest?.inventory ?? {}
  yield { path: `${object}/${OBJECT_DECLARATION}`, checksum: sha256Of(declarationText(OBJECT_DECLARATION)) }
  for (const [hex, paths] of Object.entries(manifest)) {
    for (const path of paths) yield { path: `${object}/${path}`, checksum: { algorithm, hex } }
  }
  yield* inventoryFiles(object, algorithm, newest?.hex)
  for (const version of Object.keys(versions)) {
    const at = `${object}/${version}`
    yield* inventoryFiles(at, algorithm, await inventoryDigest(objects, at, algorithm))
  }
}

/** An inventory and its sidecar. */
function* inventoryFiles(at: string, algorithm: Addressing, hex: string | undefined): Generator<ObjectFile> {
  const sidecar = hex === undefined ? undefined : sha256Of(sidecarLine(hex))
  yield { path: `${at}/inventory.json`, checksum: hex === undefined ? undefined : { algorithm, hex } }
  yield { path: `${at}/${sidecarName(algorithm)}`, checksum: sidecar }
}

/**
 * The inventory of the newest version, which that of the object is a copy of, and the digest that it should have: where the one is
 * damaged, the other tells what is lacking.
 */
async function newestInventory(
  objects: Objects,
  object: string,
  found: readonly string[],
): Promise<{ readonly inventory: Inventory; readonly hex: string | undefined } | undefined> {
  const newest = newestVersion(found)
  let damaged: { readonly inventory: Inventory; readonly hex: string | undefined } | undefined
  for (const at of [...(newest === undefined ? [] : [`${object}/${newest}`]), object]) {
    const bytes = await objects.read(`${at}/inventory.json`)
    const inventory = bytes && readInventory(bytes)
    if (!inventory) continue
    const { digestAlgorithm: algorithm } = inventory
    const hex = await inventoryDigest(objects, at, algorithm)
    if (hex !== undefined && sidecarText(bytes, algorithm) === sidecarLine(hex)) return { inventory, hex }
    damaged = { inventory, hex }
  }
  return damaged
}

/** What the sidecar of an inventory says; of one that says nothing, what it should say. */
async function inventoryDigest(objects: Objects, at: string, algorithm: Addressing): Promise<string | undefined> {
  const said = Buffer.from((await objects.read(`${at}/${sidecarName(algorithm)}`)) ?? '').toString('utf8')
  const hex = /^([0-9a-f]{128}|[0-9a-f]{64})(?=\s)/.exec(said)?.[0]
  if (hex?.length === HEX_DIGITS[algorithm]) return hex
  const bytes = await objects.read(`${at}/inventory.json`)
  return bytes && createHash(algorithm).update(bytes).digest('hex')
}

const HEX_DIGITS = { sha512: 128, sha256: 64 } as const

function sha256Of(text: string): Checksum {
  return { algorithm: 'sha256', hex: createHash('sha256').update(text).digest('hex') }
}
