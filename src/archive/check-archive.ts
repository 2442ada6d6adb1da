import { conclude, ManifestText, refuseContradiction } from './archive-report.ts'
import type { ArchiveEntry, CheckedArchive, CheckOptions } from './archive-report.ts'
import { Hashes } from './algorithms.ts'
import { ByteReader } from './byte-reader.ts'
import { readDirectory, type CentralEntry } from './central-directory.ts'
import { proveContent, readContent, takeDescriptor } from './content.ts'
import { damaged } from './damage.ts'
import { takeLocalHeader } from './headers.ts'
import { Budget, DEFAULT_LIMITS } from './limits.ts'
import { streamOf, type RandomAccess } from './random-access.ts'

/**
 * Verifies that an archive is complete and sound: the end record and the central directory describe every byte of it, each
 * entry's own header agrees with the directory, and each entry unpacks to the size and CRC-32 it claims. The end is
 * read first, then everything once from start to end; memory is bounded by `limits`.
 * Rejects with `ZIP_DAMAGED` (cut off or corrupt), `ZIP_HOSTILE` (beyond the limits, overlapping entries, names that
 * leave the folder, encryption), the signal's reason, or what the source rejects with.
 */
export async function checkArchive(source: RandomAccess, options: CheckOptions = {}): Promise<CheckedArchive> {
  const limits = options.limits ?? DEFAULT_LIMITS
  const { entries: listed, directory } = await readDirectory(source, limits)
  const reader = new ByteReader(streamOf(source, 0, directory.offset))
  const budget = new Budget(limits)
  const entries: ArchiveEntry[] = []
  const text = new ManifestText(limits.manifestBytes)
  try {
    for (const entry of listed) {
      options.signal?.throwIfAborted()
      entries.push(await proveEntry(reader, entry, budget, options, entry === listed.at(-1) ? text : undefined))
    }
  } finally {
    await reader.close()
  }
  if (reader.position !== directory.offset) throw damaged('The archive has bytes that belong to no entry.')
  return conclude(entries, text)
}

/** Reads the one entry at the reader's position and compares it with the directory. */
async function proveEntry(
  reader: ByteReader,
  entry: CentralEntry,
  budget: Budget,
  { algorithms = [], signal }: CheckOptions,
  keep: ManifestText | undefined,
): Promise<ArchiveEntry> {
  const at = reader.position
  if (at !== entry.offset) throw damaged(`The archive has bytes at ${at} that belong to no entry.`)
  const local = await takeLocalHeader(reader)
  refuseContradiction(local, entry)
  const hashes = new Hashes(algorithms)
  const content = readContent(reader, entry, budget, async (measured) => {
    proveContent(entry.name, measured, entry)
    if (local.descriptor) await takeDescriptor(reader, entry.name, measured)
  })
  for await (const chunk of content) {
    signal?.throwIfAborted()
    hashes.update(chunk)
    keep?.add(chunk)
  }
  return { name: entry.name, size: entry.size, crc32: entry.crc32, checksums: hashes.digest() }
}
