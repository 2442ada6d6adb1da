import { exportsOf, OWN_FORM } from '../mirror/metadata.ts'
import type { MirrorSource } from '../model/mirror-source.ts'
import type { DatasetVersion } from './holding.ts'

/** What a bag or crate of a dataset is made with, by the names that a mirror keeps it under. */
export const USUAL_METADATA: readonly string[] = [OWN_FORM, 'oai-ore.jsonld', 'datacite.xml']

/** What a server has of the metadata of a version. */
export interface Asked {
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Those that it has not, or not of this version: it exports only the newest. */
  readonly lacking: readonly string[]
}

/** Asks a server for metadata that is not kept. Rejects with `SOURCE_…` codes where the server cannot say. */
export async function askMetadata(
  source: Pick<MirrorSource, 'find' | 'versions' | 'metadata' | 'export'>,
  { pid, number }: DatasetVersion,
  open: readonly string[],
  signal: AbortSignal,
): Promise<Asked> {
  const files = new Map<string, Uint8Array>()
  const lacking = (): readonly string[] => open.filter((file) => !files.has(file))
  if (open.length === 0) return { files, lacking: [] }
  const found = await source.find(pid, signal)
  const versions = found ? await source.versions(found.id, signal) : []
  const version = number === undefined ? versions[0] : versions.find((one) => one.number === number)
  if (!found || !version) return { files, lacking: lacking() }
  if (open.includes(OWN_FORM)) files.set(OWN_FORM, await source.metadata(found.id, version.number, signal))
  if (version !== versions[0]) return { files, lacking: lacking() }
  for await (const { file, bytes } of exportsOf(source, { pid, number: version.number }, open, signal)) {
    if (bytes) files.set(file, bytes)
  }
  return { files, lacking: lacking() }
}
