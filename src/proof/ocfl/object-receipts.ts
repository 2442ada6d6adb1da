import { createHash } from 'node:crypto'
import type { Stated } from '../../batch/known-paths.ts'
import { listMirrors, readOrder, type MirrorOrder } from '../../mirror/order.ts'
import { idOf } from '../../mirror/proof.ts'
import { heldDatasets, readState } from '../../mirror/state.ts'
import type { Sink } from '../../sinks/sink.ts'
import { OBJECT_DECLARATION, readInventory, sidecarName } from './inventory.ts'
import { rootOf } from './mirror-objects.ts'
import { findStorageRoot, rootFiles, type StorageRoot } from './storage-root.ts'

/** What the objects of mirrors say is there, as receipts under the name of each mirror. */
export async function* objectReceipts(
  sink: Sink,
  signal: AbortSignal,
): AsyncGenerator<{ readonly id: string; readonly receipts: AsyncIterable<Stated> }> {
  for (const name of await listMirrors(sink.records)) {
    const order = await readOrder(sink.records, name)
    if (order?.layout === 'ocfl') yield { id: idOf(name), receipts: receiptsOf(sink, order, signal) }
  }
}

async function* receiptsOf(sink: Sink, order: MirrorOrder, signal: AbortSignal): AsyncGenerator<Stated> {
  const { finishedAt } = (await readState(sink.records, order.name)) ?? {}
  if (finishedAt === undefined) return
  const folder = rootOf(order)
  const root = await findStorageRoot({ sink, folder, signal })
  // That it is missing is said by the records of the mirror.
  if (!root) return
  const stated = ({ path, algorithm, hex }: ObjectFile): Omit<Stated, 'n'> => {
    return { path: `${folder}/${path}`, checksum: { algorithm, hex }, finishedAt, mirror: order.name }
  }
  for (const [path, text] of rootFiles(root.layout)) {
    yield { n: 0, ...stated({ path, algorithm: 'sha256', hex: sha256(text) }) }
  }
  for await (const { id, pid, state } of heldDatasets(sink.records, order.name)) {
    if (state === 'purged' || state === 'linked') continue
    for await (const file of objectFiles(root, pid)) yield { n: id, dataset: pid, ...stated(file) }
  }
}

interface ObjectFile {
  readonly path: string
  readonly algorithm: 'sha512' | 'sha256'
  readonly hex: string
}

/** Every file that an object should have: nothing where there is none, or its inventory cannot be read. */
async function* objectFiles({ objects, layout }: StorageRoot, pid: string): AsyncGenerator<ObjectFile> {
  const object = layout.pathOf(pid)
  const inventory = await objects.read(`${object}/inventory.json`).then((bytes) => bytes && readInventory(bytes))
  if (!inventory) return
  const { digestAlgorithm: algorithm, manifest, versions } = inventory
  const declaration = `${OBJECT_DECLARATION.slice(2)}\n`
  yield { path: `${object}/${OBJECT_DECLARATION}`, algorithm: 'sha256', hex: sha256(declaration) }
  for (const [hex, paths] of Object.entries(manifest)) {
    for (const path of paths) yield { path: `${object}/${path}`, algorithm, hex }
  }
  for (const at of ['', ...Object.keys(versions).map((version) => `${version}/`)]) {
    const path = `${object}/${at}inventory.json`
    const sidecar = `${object}/${at}${sidecarName(algorithm)}`
    const said = Buffer.from((await objects.read(sidecar)) ?? '').toString('utf8')
    const hex = /^[0-9a-f]{64,128}(?=\s)/.exec(said)?.[0] ?? ''
    yield { path, algorithm, hex }
    // What it says is judged with the inventory.
    yield { path: sidecar, algorithm: 'sha256', hex: sha256(`${hex} inventory.json\n`) }
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
