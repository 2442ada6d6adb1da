import type { Entry, ManifestLine } from '../../src/model/entry.ts'
import { readManifest, type ReadOptions } from '../../src/manifest/read-manifest.ts'

export const SERVERS = ['https://dv.example.edu', 'https://data.example.org/dv', 'http://127.0.0.1:8080'] as const

/** Text or bytes as a source, in pieces of `size` bytes. */
export async function* inPieces(content: string | Uint8Array, size = 7): AsyncIterable<Uint8Array> {
  const bytes = Buffer.from(content)
  for (let from = 0; from < bytes.length; from += size) yield await Promise.resolve(bytes.subarray(from, from + size))
}

/** Everything that a manifest gives. */
export async function readAll(
  content: string | Uint8Array,
  options: Partial<ReadOptions> = {},
  size?: number,
): Promise<ManifestLine[]> {
  const lines: ManifestLine[] = []
  const source = inPieces(content, size)
  for await (const line of readManifest(source, { name: 'manifest', servers: SERVERS, ...options })) lines.push(line)
  return lines
}

/** The entries of a manifest that must not have a bad line. */
export async function entriesOf(content: string | Uint8Array, options: Partial<ReadOptions> = {}): Promise<Entry[]> {
  return (await readAll(content, options)).map((line) => {
    if ('error' in line) throw line.error
    return line.entry
  })
}

/** The messages of a manifest's bad lines. */
export async function errorsOf(content: string | Uint8Array, options: Partial<ReadOptions> = {}): Promise<string[]> {
  return (await readAll(content, options)).flatMap((line) => ('error' in line ? [line.error.message] : []))
}
