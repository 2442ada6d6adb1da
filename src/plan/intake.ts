import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { DataferryError } from '../errors.ts'
import { MANIFEST_FORMATS } from '../manifest/detect-format.ts'
import { openManifest } from '../manifest/read-manifest.ts'
import type { Batch } from '../model/batch.ts'
import type { Entry } from '../model/entry.ts'
import { MIRROR_FORMAT, mirrorEntries } from './mirror-entries.ts'

type Manifest = Batch['manifest']
type Part = NonNullable<Manifest['parts']>[number]

/** Manifests in files, read and validated as a whole before anything is fetched. */
export interface Inspected {
  readonly manifest: Manifest
  /** The first bad lines, in order. */
  readonly problems: readonly DataferryError[]
  /** The number of bad lines. */
  readonly problemCount: number
  /** The number of entries that name no server: they need a default one. */
  readonly withoutServer: number
  /** The servers that entries name. */
  readonly named: ReadonlySet<string>
  /** The collections among the entries. */
  readonly collections: readonly CollectionEntry[]
}

/** A collection that a manifest names. */
export interface CollectionEntry {
  readonly collection: number | string
  readonly server?: string | undefined
}

export interface InspectOptions {
  readonly servers: readonly string[]
  readonly ignoreColumns: boolean
  /** See `ReadOptions`. */
  readonly pasted: boolean
  readonly notice: (text: string) => void
  readonly signal: AbortSignal
}

/** Problems that are shown; the rest is counted. */
const SHOWN_PROBLEMS = 100

/** Reads whole manifests once, without contacting a server. Rejects when a file cannot be read. */
export async function inspectManifests(
  files: readonly { readonly path: string; readonly name: string }[],
  options: InspectOptions,
): Promise<Inspected> {
  const problems: DataferryError[] = []
  const count = { entries: 0, problems: 0, withoutServer: 0 }
  const collections: CollectionEntry[] = []
  const named = new Set<string>()
  const read: (Part & { readonly sha256: string })[] = []
  for (const { path, name } of files) {
    const bytes = new Hashed(path)
    const { format, lines } = await openManifest(bytes.chunks(), { name, ...options })
    for await (const line of lines) {
      options.signal.throwIfAborted()
      if ('entry' in line) {
        count.entries++
        const { target, server } = line.entry
        if (server === undefined) count.withoutServer++
        else named.add(server)
        if (target.kind === 'collection') collections.push({ collection: target.collection, server })
      } else {
        count.problems++
        if (problems.length < SHOWN_PROBLEMS) problems.push(line.error)
      }
    }
    read.push({ name, format, bytes: bytes.count, sha256: bytes.digest() })
  }
  return {
    manifest: { ...together(read), entries: count.entries },
    problems,
    problemCount: count.problems,
    withoutServer: count.withoutServer,
    named,
    collections,
  }
}

/** A file's bytes, counted and hashed while they are read. */
class Hashed {
  readonly #path: string
  readonly #hash = createHash('sha256')
  count = 0

  constructor(path: string) {
    this.#path = path
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for await (const chunk of createReadStream(this.#path, { highWaterMark: 1 << 20 })) {
      if (!(chunk instanceof Uint8Array)) continue
      this.#hash.update(chunk)
      this.count += chunk.byteLength
      yield chunk
    }
  }

  digest(): string {
    return this.#hash.digest('hex')
  }
}

function together(read: readonly (Part & { readonly sha256: string })[]): Omit<Manifest, 'entries'> {
  const [first, ...others] = read
  if (!first) return { name: 'nothing', format: 'list', sha256: '' }
  const { name, format, sha256 } = first
  if (others.length === 0) return { name, format, sha256 }
  return {
    name: `${name} and ${others.length} more`,
    format: 'several',
    sha256: hashOfParts(read),
    parts: read.map((part) => ({ name: part.name, format: part.format, bytes: part.bytes })),
  }
}

/** What identifies several manifests: their hashes, and how each is read. */
export function hashOfParts(parts: readonly { readonly sha256: string; readonly format: string }[]): string {
  const decides = parts.map(({ sha256, format }) => [sha256, format])
  return createHash('sha256').update(JSON.stringify(decides)).digest('hex')
}

/** An entry and where it is. */
export interface PlacedEntry {
  readonly line: number
  readonly entry: Entry
  /** The manifest's name in messages. */
  readonly manifest: string
}

/**
 * The entries of validated manifests, from their copy. Throws the error of a bad line, should there be one after all.
 * @param open the bytes of the copy from an offset on
 */
export async function* entriesOf(
  open: (from: number) => AsyncIterable<Uint8Array>,
  manifest: Manifest,
  servers: readonly string[],
): AsyncGenerator<PlacedEntry> {
  let from = 0
  if (manifest.format === MIRROR_FORMAT) {
    for await (const placed of mirrorEntries(open(0))) yield { ...placed, manifest: manifest.name }
    return
  }
  for (const part of manifest.parts ?? [{ ...manifest, bytes: Infinity }]) {
    const format = MANIFEST_FORMATS.find((known) => known === part.format) ?? 'auto'
    const bytes = firstBytes(open(from), part.bytes)
    // Columns were checked before.
    const { lines, name } = await openManifest(bytes, { name: part.name, format, servers, ignoreColumns: true })
    for await (const line of lines) {
      if ('error' in line) throw line.error
      yield { line: line.line, entry: line.entry, manifest: name }
    }
    from += part.bytes
  }
}

export async function* firstBytes(chunks: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array> {
  let left = count
  if (left === 0) return
  for await (const chunk of chunks) {
    yield chunk.byteLength > left ? chunk.subarray(0, left) : chunk
    left -= chunk.byteLength
    if (left <= 0) return
  }
}
