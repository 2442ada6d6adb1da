import { conclude, ManifestText, refuseContradiction } from './archive-report.ts'
import type { ArchiveEntry, CheckedArchive, CheckOptions } from './archive-report.ts'
import { Hashes } from './algorithms.ts'
import { ByteReader } from './byte-reader.ts'
import { readDirectory, type CentralEntry } from './central-directory.ts'
import { proveContent, type Measured } from './content.ts'
import { damaged, hostile } from './damage.ts'
import { TAIL_LENGTH } from './end-record.ts'
import { entryFollows, provenContent } from './forward.ts'
import { refuseUnreadable, takeLocalHeader, type LocalHeader } from './headers.ts'
import { Budget, DEFAULT_LIMITS, type ArchiveLimits } from './limits.ts'
import type { RandomAccess } from './random-access.ts'

/** An entry that has been read, until the directory confirms it. */
interface Passed {
  readonly offset: number
  readonly header: LocalHeader
  readonly measured: Measured
  readonly proven: ArchiveEntry
}

/**
 * Verifies the same as `checkArchive` as an archive streams past: for a destination that cannot read bytes back before
 * they are published. Entries are read by their own headers, and nothing is concluded from them until the central
 * directory, which comes last, has confirmed each one. Holds the directory and the names in memory, bounded by `limits`.
 * Also refuses stored entries without a length in their header, which Dataverse never writes.
 * Reads `source` to its end, unless it rejects: with `ZIP_DAMAGED`, `ZIP_HOSTILE`, the signal's reason, or what the
 * source rejects with.
 */
export async function checkStream(
  source: AsyncIterable<Uint8Array>,
  options: CheckOptions = {},
): Promise<CheckedArchive> {
  const limits = options.limits ?? DEFAULT_LIMITS
  const reader = new ByteReader(source)
  try {
    const text = new ManifestText(limits.manifestBytes)
    const passed = await readPassing(reader, limits, options, text)
    const end = reader.position
    const { entries, directory } = await readDirectory(await restOf(reader, limits), limits)
    if (entries.length !== passed.length || directory.offset !== end) {
      throw damaged('The archive’s directory does not describe the entries before it.')
    }
    passed.forEach((one, index) => confirm(one, entries[index]))
    return conclude(
      passed.map(({ proven }) => proven),
      text,
    )
  } finally {
    await reader.close()
  }
}

async function readPassing(
  reader: ByteReader,
  limits: ArchiveLimits,
  { algorithms = [], signal }: CheckOptions,
  text: ManifestText,
): Promise<Passed[]> {
  const budget = new Budget(limits)
  const passed: Passed[] = []
  let headerBytes = 0
  while (await entryFollows(reader)) {
    signal?.throwIfAborted()
    budget.spendEntry()
    const offset = reader.position
    const header = await takeLocalHeader(reader)
    headerBytes += reader.position - offset
    if (headerBytes > limits.directoryBytes)
      throw hostile(`The archive’s headers are longer than ${limits.directoryBytes} bytes.`)
    refuseUnreadable(header)
    const hashes = new Hashes(algorithms)
    // Which entry is the last is not known yet: each possible manifest replaces the one before.
    const mayBeManifest = /^0*MANIFEST\.TXT$/.test(header.name)
    if (mayBeManifest) text.clear()
    const content = provenContent(reader, header, budget, (measured) => {
      const { size, crc32 } = measured
      passed.push({ offset, header, measured, proven: { name: header.name, size, crc32, checksums: hashes.digest() } })
    })
    for await (const chunk of content) {
      signal?.throwIfAborted()
      hashes.update(chunk)
      if (mayBeManifest) text.add(chunk)
    }
  }
  return passed
}

/** Throws `ZIP_DAMAGED` unless the directory agrees with what was read of an entry. */
function confirm(passed: Passed, entry: CentralEntry | undefined): void {
  if (entry?.offset !== passed.offset) throw damaged('The archive’s directory does not describe the entries before it.')
  refuseContradiction(passed.header, entry)
  proveContent(entry.name, passed.measured, entry)
}

/** The archive with zeros in place of what has been read, so that its directory can be read like any other. */
async function restOf(reader: ByteReader, limits: ArchiveLimits): Promise<RandomAccess> {
  const start = reader.position
  const pieces: Buffer[] = []
  for (let piece = await reader.some(TAIL_LENGTH); piece; piece = await reader.some(TAIL_LENGTH)) {
    pieces.push(Buffer.from(piece))
    if (reader.position - start > limits.directoryBytes + 2 * TAIL_LENGTH) {
      throw hostile(`The archive’s directory is longer than ${limits.directoryBytes} bytes.`)
    }
  }
  const rest = Buffer.concat(pieces)
  return {
    size: start + rest.length,
    read: (from, to) => {
      const zeros = Buffer.alloc(Math.max(0, Math.min(start, to) - from))
      return Promise.resolve(Buffer.concat([zeros, rest.subarray(Math.max(0, from - start), Math.max(0, to - start))]))
    },
  }
}
