import { ByteReader } from './byte-reader.ts'
import { damaged } from './damage.ts'
import { findEnd, TAIL_LENGTH } from './end-record.ts'
import { entryFollows, provenContent } from './forward.ts'
import { refuseUnreadable, takeLocalHeader, type LocalHeader } from './headers.ts'
import { Budget, DEFAULT_LIMITS, type ArchiveLimits } from './limits.ts'
import { isFolder, refuseUnsafeName } from './names.ts'

/** An entry on its way past. */
export interface StreamedEntry {
  /** As the archive says: never use it as a path. */
  readonly name: string
  /**
   * The unpacked bytes, once; a chunk is valid until the next one is asked for. Ends only when size and CRC-32 agree
   * with the archive's record, else rejects with `ZIP_DAMAGED` or `ZIP_HOSTILE`. What is left unread is read over.
   */
  open(): AsyncIterable<Uint8Array>
}

/**
 * Reads the files of an archive while it arrives, so that those before a cut are had. Sees local headers only, so it
 * proves that no bytes were damaged on the way but not that the archive means what it seems to: accept an entry only by
 * a checksum from elsewhere. Folders are left out; entries come in the order of the archive, one at a time.
 * Rejects with `ZIP_DAMAGED` where the archive is cut off or corrupt, also when merely its directory is missing, and
 * where a stored entry does not say its length; with `ZIP_HOSTILE` beyond the limits; with what the source rejects with.
 */
export async function* readEntries(
  source: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits = DEFAULT_LIMITS,
): AsyncGenerator<StreamedEntry> {
  const reader = new ByteReader(source)
  const budget = new Budget(limits)
  try {
    while (await entryFollows(reader)) {
      budget.spendEntry()
      const header = await takeLocalHeader(reader)
      refuseUnreadable(header)
      refuseUnsafeName(header.name)
      const content = new Content(reader, header, budget)
      try {
        if (!isFolder(header.name)) yield { name: header.name, open: () => content.handOut() }
        await content.finish()
      } finally {
        await content.close()
      }
    }
    await readToEnd(reader, budget.entries, limits)
  } finally {
    await reader.close()
  }
}

/** The bytes of one entry, taken once from the reader, whoever asks for them. */
class Content {
  readonly #chunks: AsyncGenerator<Uint8Array, void>
  #failure: { readonly error: unknown } | undefined

  constructor(reader: ByteReader, header: LocalHeader, budget: Budget) {
    this.#chunks = provenContent(reader, header, budget)
  }

  /** Leaving this loop early keeps the rest for `finish`. */
  async *handOut(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const next = await this.#next()
      if (next.done === true) return
      yield next.value
    }
  }

  /** Reads over what is left. Rejects as the content did, as nothing behind a failure can be found. */
  async finish(): Promise<void> {
    while ((await this.#next()).done !== true);
  }

  /** Frees what unpacking holds. */
  async close(): Promise<void> {
    await this.#chunks.return()
  }

  async #next(): Promise<IteratorResult<Uint8Array, void>> {
    if (this.#failure) throw this.#failure.error
    try {
      return await this.#chunks.next()
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }
}

/** Reads over the directory and sees that the archive is whole and counts as many entries as came. */
async function readToEnd(reader: ByteReader, entries: number, limits: ArchiveLimits): Promise<void> {
  const start = reader.position
  let tail: Buffer = Buffer.alloc(0)
  for (let piece = await reader.some(TAIL_LENGTH); piece; piece = await reader.some(TAIL_LENGTH)) {
    tail = Buffer.concat([tail, piece]).subarray(-TAIL_LENGTH)
    if (reader.position - start > limits.directoryBytes) throw damaged('The archive does not end behind its directory.')
  }
  const at = findEnd(tail)
  if (at === undefined) throw damaged(`The archive is cut off in its directory, at byte ${reader.position}.`)
  const counted = tail.readUInt16LE(at + 10)
  if (counted !== Math.min(entries, 0xffff)) throw damaged(`The archive has ${entries} entries but counts ${counted}.`)
}
