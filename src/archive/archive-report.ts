import type { Algorithm, Checksum } from '../model/checksum.ts'
import type { CentralEntry } from './central-directory.ts'
import { damaged } from './damage.ts'
import type { LocalHeader } from './headers.ts'
import type { ArchiveLimits } from './limits.ts'
import { decodeManifestTxt, isManifestName, parseManifestTxt, type ManifestTxt } from './manifest-txt.ts'
import { isFolder } from './names.ts'

/** A file in an archive, its bytes verified against the archive's own records. Folders are not listed. */
export interface ArchiveEntry {
  /** Path in the archive: stays within its folder, but is otherwise untrusted. */
  readonly name: string
  /** Unpacked bytes. */
  readonly size: number
  readonly crc32: number
  /** One per requested algorithm. */
  readonly checksums: readonly Checksum[]
}

/** The content of a sound archive. */
export interface CheckedArchive {
  /** In the order of the archive, without the server's manifest. */
  readonly entries: readonly ArchiveEntry[]
  /** Undefined: the archive has none, as with the external ZIP service. */
  readonly manifest: ManifestTxt | undefined
  /** Unpacked bytes of `entries`. */
  readonly bytes: number
  /** Entries with the name of an earlier one. */
  readonly duplicates: number
  /** Entries with a backslash in their name, which unpacks differently from system to system. */
  readonly backslashes: number
}

export interface CheckOptions {
  readonly limits?: ArchiveLimits
  /** Checksums to compute of every entry while it is read. */
  readonly algorithms?: readonly Algorithm[]
  readonly signal?: AbortSignal
}

/**
 * Assembles the report of what was verified.
 * @param all every entry in the order of the archive, folders too.
 * @param text the possible manifest: the bytes of the last entry, if it has the name.
 */
export function conclude(all: readonly ArchiveEntry[], text: ManifestText): CheckedArchive {
  const names = new Set(all.map(({ name }) => name))
  const files = all.filter(({ name }) => !isFolder(name))
  const last = all.at(-1)
  const manifest = last && isManifestName(last.name, names) ? ownManifest(text.bytes(), files) : undefined
  const entries = manifest ? files.slice(0, -1) : files
  return {
    entries,
    manifest,
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
    duplicates: all.length - names.size,
    backslashes: all.filter(({ name }) => name.includes('\\')).length,
  }
}

/** Throws `ZIP_DAMAGED` when a local header contradicts the directory. */
export function refuseContradiction(local: LocalHeader, entry: CentralEntry): void {
  const sameForm = local.flags === entry.flags && local.method === entry.method && local.rawName.equals(entry.rawName)
  const sameValues = (['crc32', 'compressedSize', 'size'] as const).every((key) => local[key] === entry[key])
  // With a descriptor after the bytes, the header before them leaves the values open: mostly 0, or all ones.
  if (sameForm && (local.descriptor || sameValues)) return
  throw damaged(`The archive’s entry ${JSON.stringify(entry.name.slice(0, 200))} is described in two different ways.`)
}

/** Keeps a copy of an entry's bytes while they may be a manifest: one that is too long is not. */
export class ManifestText {
  readonly #most: number
  #chunks: Uint8Array[] = []
  #length = 0

  constructor(most: number) {
    this.#most = most
  }

  add(chunk: Uint8Array): void {
    this.#length += chunk.length
    if (this.#length > this.#most) this.#chunks = []
    else this.#chunks.push(Uint8Array.from(chunk))
  }

  clear(): void {
    this.#chunks = []
    this.#length = 0
  }

  bytes(): Uint8Array | undefined {
    return this.#length > this.#most ? undefined : Buffer.concat(this.#chunks)
  }
}

/**
 * Reads the text as the server's manifest, unless none of the files it lists is in this archive: then it is a file of the
 * dataset, such as the manifest of another download, in an archive without one.
 */
function ownManifest(text: Uint8Array | undefined, entries: readonly ArchiveEntry[]): ManifestTxt | undefined {
  const manifest = text && parseManifestTxt(decodeManifestTxt(text))
  const sizes = new Map(entries.map(({ name, size }) => [name, size]))
  const listed = manifest?.lines.filter((line) => line.kind === 'included') ?? []
  return listed.length === 0 || listed.some(({ name, bytes }) => sizes.get(name) === bytes) ? manifest : undefined
}
