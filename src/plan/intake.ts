import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { DataferryError } from '../errors.ts'
import { MANIFEST_FORMATS, type ManifestFormat } from '../manifest/detect-format.ts'
import { openManifest } from '../manifest/read-manifest.ts'
import type { Entry } from '../model/entry.ts'

/** A manifest in a file, read and found good or bad as a whole before anything is fetched. */
export interface Inspected {
  readonly format: ManifestFormat
  /** Of the manifest's bytes, in hex. */
  readonly sha256: string
  readonly entries: number
  /** The first bad lines, in order. */
  readonly problems: readonly DataferryError[]
  /** All bad lines. */
  readonly problemCount: number
  /** Entries that name no server: they need a default one. */
  readonly withoutServer: number
}

export interface InspectOptions {
  /** As messages name it. */
  readonly name: string
  readonly servers: readonly string[]
  readonly notice: (text: string) => void
  readonly signal: AbortSignal
}

/** Problems worth showing; the rest is counted. */
const SHOWN_PROBLEMS = 100

/** Reads a whole manifest once, asking no server. Rejects when the file cannot be read. */
export async function inspectManifest(file: string, options: InspectOptions): Promise<Inspected> {
  const hash = createHash('sha256')
  const { format, lines } = await openManifest(hashed(file, hash), options)
  const problems: DataferryError[] = []
  const count = { entries: 0, problems: 0, withoutServer: 0 }
  for await (const line of lines) {
    options.signal.throwIfAborted()
    if ('entry' in line) {
      count.entries++
      if (line.entry.server === undefined) count.withoutServer++
    } else {
      count.problems++
      if (problems.length < SHOWN_PROBLEMS) problems.push(line.error)
    }
  }
  return {
    format,
    sha256: hash.digest('hex'),
    entries: count.entries,
    problems,
    problemCount: count.problems,
    withoutServer: count.withoutServer,
  }
}

async function* hashed(file: string, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    if (!(chunk instanceof Uint8Array)) continue
    hash.update(chunk)
    yield chunk
  }
}

/** The entries of a manifest that was found good. Throws the error of a bad line, should there be one after all. */
export async function* entriesOf(
  bytes: AsyncIterable<Uint8Array>,
  manifest: { readonly name: string; readonly format: string },
  servers: readonly string[],
): AsyncGenerator<{ readonly line: number; readonly entry: Entry }> {
  const format = MANIFEST_FORMATS.find((known) => known === manifest.format) ?? 'auto'
  const { lines } = await openManifest(bytes, { name: manifest.name, format, servers })
  for await (const line of lines) {
    if ('error' in line) throw line.error
    yield { line: line.line, entry: line.entry }
  }
}
