import { createHash } from 'node:crypto'
import { z } from 'zod'
import { recordText } from '../batch/record.ts'
import { parseJson } from '../json/parse-json.ts'
import { parseChecksum, sameChecksum, type Checksum } from '../model/checksum.ts'
import { checksumsOf } from '../model/receipt.ts'
import type { Records } from '../sinks/sink.ts'
import { names, type MirrorOrder } from './order.ts'
import { versionFolder } from './shown-path.ts'
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
  const known = new KnownFiles(files.filter(isHeld), top)
  const distribution: FileObject[] = []
  for (const one of croissant.distribution) {
    const object = fileObjectSchema.safeParse(one).data
    if (!object || typeof object['sha256'] === 'string') continue
    const sha256 = known.sha256(object)
    if (!sha256) continue
    const { '@id': objectId, contentUrl } = object
    distribution.push({ '@type': 'cr:FileObject', '@id': objectId, contentUrl, sha256 })
  }
  if (distribution.length === 0) return undefined
  const { url, version } = croissant
  return recordText({ '@context': CONTEXT, '@type': 'sc:Dataset', url, version, distribution })
}

const CONTEXT = { '@vocab': 'https://schema.org/', sc: 'https://schema.org/', cr: 'http://mlcommons.org/croissant/' }

/** The SHA-256 of held files, by what an export says of them. */
class KnownFiles {
  readonly #byId = new Map<string, HeldFile>()
  /** Of the files of one version that have a digest: undefined where it is not known. */
  readonly #byDigest = new Map<string, Set<string | undefined>>()

  /** @param top the folder of the version */
  constructor(held: readonly HeldFile[], top: string) {
    for (const file of held) {
      this.#byId.set(String(file.file), file)
      if (!file.path.startsWith(`${top}/`)) continue
      for (const digest of checksumsOf(file)) {
        const known = this.#byDigest.get(keyOf(digest)) ?? new Set()
        this.#byDigest.set(keyOf(digest), known.add(sha256Of(file)))
      }
    }
  }

  /** Of bytes that have the published checksum; undefined: it is not known, or not which one it is. */
  sha256(object: FileObject): string | undefined {
    const id = /\/api\/access\/datafile\/(\d{1,18})(?:\?format=original)?$/.exec(object.contentUrl ?? '')?.[1]
    const published = publishedOf(object)
    if (id !== undefined) {
      const file = this.#byId.get(id)
      const isSame = file && checksumsOf(file).some((one) => published.some((other) => sameChecksum(one, other)))
      return isSame ? sha256Of(file) : undefined
    }
    if (!PID_ADDRESS.test(object.contentUrl ?? '')) return undefined
    // The address has the PID, which a mirror does not know, and the name is HTML: `B&auml;r.txt`.
    const found = new Set(published.flatMap((one) => [...(this.#byDigest.get(keyOf(one)) ?? [])]))
    const [sha256] = found
    return found.size === 1 ? sha256 : undefined
  }
}

/** Of the uploaded form of a file that has a PID of its own. */
const PID_ADDRESS = /\/api\/access\/datafile\/:persistentId\?persistentId=[^&]+(?:&format=original)?$/

function keyOf({ algorithm, hex }: Checksum): string {
  return `${algorithm} ${hex}`
}

function sha256Of(file: HeldFile): string | undefined {
  return checksumsOf(file).find(({ algorithm }) => algorithm === 'sha256')?.hex
}

/**
 * The checksums of a file object, under the names of their algorithms.
 * @see CroissantExportUtil.java: `md5`, but also `sha-1`, `sha-256` and `sha-512`, which Croissant does not know
 */
function publishedOf(object: FileObject): readonly Checksum[] {
  return Object.entries(object).flatMap(([name, value]) =>
    typeof value === 'string' ? (parseChecksum(name, value) ?? []) : [],
  )
}
