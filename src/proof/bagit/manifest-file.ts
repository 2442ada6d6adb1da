import { textLines } from './lines.ts'
import { decodePath, whyUnsafe } from './paths.ts'

/** Algorithms of manifests that can be checked, by the names that manifests and Node.js have for them. */
export const MANIFEST_ALGORITHMS = [
  'md5',
  'sha1',
  'sha224',
  'sha256',
  'sha384',
  'sha512',
  'sha3-256',
  'sha3-512',
] as const
export type ManifestAlgorithm = (typeof MANIFEST_ALGORITHMS)[number]

/** A line of a manifest. */
export interface ManifestLine {
  /** Lower case. */
  readonly hex: string
  readonly path: string
  /** `asterisk`: as md5sum writes it for a file that was read as it is. `relative`: with `./` before the path. */
  readonly style: 'asterisk' | 'relative' | undefined
}

/**
 * Reads a manifest, of the payload or of tag files, of any version of BagIt.
 * @see RFC 8493 §2.1.3, §2.2.1
 */
export async function* readManifestFile(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  encoding: string,
): AsyncGenerator<ManifestLine | { readonly wrong: string }, void> {
  for await (const line of textLines(chunks, name, encoding)) {
    const [, hex = '', marker = '', text = ''] = /^([0-9a-fA-F]+)[ \t]+(\*?)(.+)$/s.exec(line) ?? []
    if (text === '') {
      yield { wrong: `It has a line that is none of a manifest: ${JSON.stringify(line.slice(0, 100))}.` }
      continue
    }
    const path = decodePath(text)
    const why = whyUnsafe(path) ?? whyForeign(path, name)
    if (why === undefined) {
      const style = marker !== '' ? 'asterisk' : text.startsWith('./') ? 'relative' : undefined
      yield { hex: hex.toLowerCase(), path, style }
    } else yield { wrong: `It names ${JSON.stringify(path.slice(0, 200))}: ${why}.` }
  }
}

/** Whether a file is a manifest of tag files, where it is a manifest at all. */
export function isTagManifest(name: string): boolean {
  return /^tagmanifest-/i.test(name)
}

function whyForeign(path: string, manifest: string): string | undefined {
  return isTagManifest(manifest) || path.startsWith('data/') ? undefined : 'it is not below data/'
}
