import { createHash } from 'node:crypto'
import { basename, dirname } from 'node:path/posix'
import { z } from 'zod'
import { recordText } from '../batch/record.ts'
import { parseJson } from '../json/parse-json.ts'
import { parseChecksum } from '../model/checksum.ts'
import { checksumsOf } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { names, type MirrorOrder } from './order.ts'
import { shownPath, versionFolder } from './shown-path.ts'
import { isHeld, type HeldFile, type HeldVersion, type MirroredDataset } from './state.ts'

/** The server's own description, and beside it what that lacks. */
const EXPORT = 'croissant.json'
const SIDECAR = 'croissant-sha256.json'

const fileObjectSchema = z.looseObject({ '@id': z.string(), contentUrl: z.string().optional() })
type FileObject = z.infer<typeof fileObjectSchema>
const croissantSchema = z.looseObject({
  distribution: z.array(z.unknown()),
  url: z.string().optional(),
  version: z.string().optional(),
})

/**
 * Keeps, beside the Croissant export of each version, the SHA-256 of the files of which the export does not have it and we do: the same
 * JSON-LD nodes, by which it can be merged. The export itself stays as the server made it.
 * @returns the versions, with the sidecars among their metadata
 */
export async function withSidecars(
  records: Records,
  order: MirrorOrder,
  { folder, versions }: Pick<MirroredDataset, 'folder' | 'versions'>,
  files: readonly HeldFile[],
): Promise<readonly HeldVersion[]> {
  const done: HeldVersion[] = []
  for (const version of versions) {
    const { number, past, withdrawn, metadata = {} } = version
    if (metadata[EXPORT] === undefined || past || withdrawn) {
      done.push(version)
      continue
    }
    const { [SIDECAR]: before, ...others } = metadata
    const top = versionFolder(order, folder, number)
    const text = sidecarOf(await records.read(names.metadata(order.name, folder, number, EXPORT)), top, files)
    const name = names.metadata(order.name, folder, number, SIDECAR)
    if (text !== undefined) await records.write(name, text)
    else if (before !== undefined) await records.remove(name)
    const sidecar = text === undefined ? {} : { [SIDECAR]: createHash('sha256').update(text).digest('hex') }
    done.push({ ...version, metadata: { ...others, ...sidecar } })
  }
  return done
}

/** Whether an export was kept that was not there, or was another one. */
export function isDescribedAnew(versions: readonly HeldVersion[], known: ReadonlyMap<number, HeldVersion>): boolean {
  return versions.some(({ id, metadata }) => {
    const now = metadata?.[EXPORT]
    return now !== undefined && now !== known.get(id)?.metadata?.[EXPORT]
  })
}

/** @returns undefined where there is nothing to add */
function sidecarOf(bytes: Uint8Array | undefined, top: string, files: readonly HeldFile[]): string | undefined {
  const croissant = croissantSchema.safeParse(parseJson(Buffer.from(bytes ?? []).toString('utf8'))).data
  if (!croissant) return undefined
  const held = files.filter(isHeld)
  const byId = new Map(held.map((file) => [String(file.file), file]))
  const byPath = new Map(held.map((file) => [file.path, file]))
  const distribution: FileObject[] = []
  for (const one of croissant.distribution) {
    const object = fileObjectSchema.safeParse(one).data
    if (!object || typeof object['sha256'] === 'string') continue
    const id = /\/api\/access\/datafile\/(\d{1,18})(?:\?format=original)?$/.exec(object.contentUrl ?? '')?.[1]
    // Of files with a PID of their own the address has that.
    const file = id === undefined ? byPath.get(placeOf(object, top)) : byId.get(id)
    const sha256 =
      file && isSame(object, file) && checksumsOf(file).find(({ algorithm }) => algorithm === 'sha256')?.hex
    if (!sha256) continue
    const { '@id': objectId, contentUrl } = object
    distribution.push({ '@type': 'cr:FileObject', '@id': objectId, contentUrl, sha256 })
  }
  if (distribution.length === 0) return undefined
  const { url, version } = croissant
  return recordText({ '@context': CONTEXT, '@type': 'sc:Dataset', url, version, distribution })
}

const CONTEXT = { '@vocab': 'https://schema.org/', sc: 'https://schema.org/', cr: 'http://mlcommons.org/croissant/' }

/** Where a mirror keeps the file that an export names by its folder and name. */
function placeOf({ '@id': id }: FileObject, top: string): string {
  const directory = dirname(id)
  return shownPath(top, directory === '.' ? '' : directory, basename(id))
}

/**
 * Whether what the export says of a file is of the bytes that are held: it has the published checksum under the name of its algorithm.
 * @see CroissantExportUtil.java: `md5`, but also `sha-1`, `sha-256` and `sha-512`, which Croissant does not know
 */
function isSame(object: FileObject, file: HeldFile): boolean {
  return Object.entries(object).some(([name, value]) => {
    const published = typeof value === 'string' ? parseChecksum(name, value) : undefined
    return checksumsOf(file).some(({ algorithm, hex }) => algorithm === published?.algorithm && hex === published.hex)
  })
}
