import { fromRandomAccessReaderPromise, getFileNameLowLevel, RandomAccessReader, type Entry } from 'yauzl'
import { asDamage, damaged, hostile } from './damage.ts'
import { readEnd, type Directory } from './end-record.ts'
import { meaningfulFlags, refuseUnreadable } from './headers.ts'
import { refuseSize, type ArchiveLimits } from './limits.ts'
import { refuseLink, refuseUnsafeName } from './names.ts'
import { readAhead, type RandomAccess } from './random-access.ts'

/** An entry as the central directory describes it. */
export interface CentralEntry {
  readonly name: string
  readonly rawName: Buffer
  readonly flags: number
  readonly method: number
  readonly crc32: number
  readonly compressedSize: number
  readonly size: number
  /** Of its local header. */
  readonly offset: number
}

/**
 * Reads the central directory, checked as far as possible without the entries themselves: counts, sizes and names
 * within limits, no entry reaching into another one or into the directory.
 * @returns the entries in the order of their bytes, and where the directory begins.
 * Rejects with `ZIP_DAMAGED`, `ZIP_HOSTILE`, or what the source rejects with.
 */
export async function readDirectory(
  source: RandomAccess,
  limits: ArchiveLimits,
): Promise<{ readonly entries: readonly CentralEntry[]; readonly directory: Directory }> {
  const directory = await readEnd(source, limits)
  const entries = await listEntries(source, directory).catch((error: unknown) => {
    throw asDamage(error, 'The archive’s directory cannot be read')
  })
  entries.sort((a, b) => a.offset - b.offset)
  refuseOverlap(entries, directory)
  refuseSize(
    entries.reduce((sum, { size }) => sum + size, 0),
    source.size,
    limits,
  )
  for (const { name } of entries) refuseUnsafeName(name)
  return { entries, directory }
}

async function listEntries(source: RandomAccess, directory: Directory): Promise<CentralEntry[]> {
  // Names stay raw here: they are compared byte by byte with the local ones, and judged by our own rules.
  const zip = await fromRandomAccessReaderPromise(new Reader(source), source.size, { decodeStrings: false })
  const entries: CentralEntry[] = []
  let length = 0
  for await (const entry of zip.eachEntry()) {
    entries.push(centralEntry(entry))
    length += 46 + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength
    if (length > directory.size) break
  }
  if (length !== directory.size || entries.length !== directory.entries) {
    throw damaged('The archive’s directory does not have the length it claims.')
  }
  return entries
}

function centralEntry(entry: Entry): CentralEntry {
  const name = getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true)
  const flags = meaningfulFlags(entry.generalPurposeBitFlag)
  refuseUnreadable({ name, flags, method: entry.compressionMethod })
  refuseLink(name, entry.versionMadeBy, entry.externalFileAttributes)
  return {
    name,
    rawName: entry.fileNameRaw,
    flags,
    method: entry.compressionMethod,
    crc32: entry.crc32,
    compressedSize: entry.compressedSize,
    size: entry.uncompressedSize,
    offset: entry.relativeOffsetOfLocalHeader,
  }
}

/** By sharing bytes among entries a small archive can unpack to a huge one without any extreme entry. */
function refuseOverlap(entries: readonly CentralEntry[], directory: Directory): void {
  entries.forEach((entry, index) => {
    const next = entries[index + 1]?.offset ?? directory.offset
    if (entry.offset + 30 + entry.rawName.length + entry.compressedSize <= next) return
    throw hostile(`The archive’s entry ${JSON.stringify(entry.name.slice(0, 200))} overlaps the next one.`)
  })
}

/** The reader for yauzl. */
class Reader extends RandomAccessReader {
  readonly #source: RandomAccess

  constructor(source: RandomAccess) {
    super()
    this.#source = readAhead(source)
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, bytesRead?: number) => void,
  ): void {
    if (position + length > this.#source.size) {
      callback(new Error('a record is beyond the end'))
      return
    }
    this.#source.read(position, position + length).then(
      (bytes) => {
        buffer.set(bytes, offset)
        callback(null, bytes.length)
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    )
  }
}
