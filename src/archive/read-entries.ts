import { ByteReader } from './byte-reader.ts'
import { damaged, isDamage } from './damage.ts'
import { findEnd, TAIL_LENGTH } from './end-record.ts'
import { entryFollows, provenContent } from './forward.ts'
import { refuseUnreadable, SIGNATURES, takeLocalHeader, type LocalHeader } from './headers.ts'
import { Budget, DEFAULT_LIMITS, type ArchiveLimits } from './limits.ts'
import { isFolder, refuseUnsafeName } from './names.ts'

/** An entry as it streams past. */
export interface StreamedEntry {
  /** As in the archive: never use it as a path. */
  readonly name: string
  /**
   * The unpacked bytes, once; a chunk is valid until the next one is asked for. Ends only when size and CRC-32 agree
   * with the archive's record, else rejects with `ZIP_DAMAGED` or `ZIP_HOSTILE`. What is left unread is skipped.
   */
  open(): AsyncIterable<Uint8Array>
  /** After damage, entries are found by their signature, and so may be part of a file that is itself an archive. */
  readonly doubtful: boolean
}

/**
 * Reads the files of an archive as it arrives, so that those before a cut are not lost. Sees only local headers, so it
 * proves that no bytes were damaged on the way but not that the archive means what it seems to: accept an entry only by
 * a checksum from elsewhere. Folders are left out; entries come in the order of the archive, one at a time.
 *
 * Damage in an entry's header is skipped, and a caller that swallows `ZIP_DAMAGED` of an entry's bytes gets the
 * entries after it as well, as far as they can be found.
 * Rejects, at the end, with `ZIP_DAMAGED` where the archive is cut off or corrupt, even if only its directory is
 * missing, and where a stored entry does not say its length; at once with `ZIP_HOSTILE` beyond the limits, and with what
 * the source rejects with.
 */
export async function* readEntries(
  source: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits = DEFAULT_LIMITS,
): AsyncGenerator<StreamedEntry> {
  const reader = new ByteReader(source)
  const budget = new Budget(limits)
  let damage: { readonly error: unknown } | undefined
  try {
    for (;;) {
      const start = reader.position
      try {
        if (!(await entryFollows(reader))) break
        yield* oneEntry(reader, budget, damage !== undefined)
      } catch (error) {
        if (!isDamage(error)) throw error
        damage ??= { error }
        if (!(await seekRecord(reader, start + 1, budget))) break
      }
    }
    if (damage) throw damage.error
    await readToEnd(reader, budget.entries, limits)
  } finally {
    await reader.close()
  }
}

async function* oneEntry(reader: ByteReader, budget: Budget, doubtful: boolean): AsyncGenerator<StreamedEntry> {
  budget.spendEntry()
  const header = await takeLocalHeader(reader)
  refuseUnreadable(header)
  refuseUnsafeName(header.name)
  const content = new Content(reader, header, budget)
  try {
    if (!isFolder(header.name)) yield { name: header.name, open: () => content.handOut(), doubtful }
    await content.finish()
  } finally {
    await content.close()
  }
}

/** Compressed bytes that are searched at once. */
const PIECE = 64 * 1024

/**
 * Skips to what begins like an entry or the directory, at or after `from`.
 * @returns false when nothing does
 */
async function seekRecord(reader: ByteReader, from: number, budget: Budget): Promise<boolean> {
  for (;;) {
    const ahead = await reader.peek(4)
    if (ahead.length < 4) return false
    const piece = (await reader.some(PIECE)) ?? ahead
    const start = reader.position - piece.length
    const at = firstRecord(piece, Math.max(0, from - start))
    reader.giveBack(piece.length - (at ?? piece.length - 3))
    budget.spendBytes(reader.position - start, reader.position)
    if (at !== undefined) return true
  }
}

function firstRecord(piece: Buffer, from: number): number | undefined {
  for (let at = piece.indexOf('PK', from); at !== -1 && at + 4 <= piece.length; at = piece.indexOf('PK', at + 1)) {
    const signature = piece.readUInt32LE(at)
    if (signature === SIGNATURES.local || signature === SIGNATURES.central) return at
  }
  return undefined
}

/** The bytes of one entry, taken from the reader once. */
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

  /** Skips what is left. Rejects as the content did, as nothing after a failure can be found. */
  async finish(): Promise<void> {
    while ((await this.#next()).done !== true);
  }

  /** Frees the resources of unpacking. */
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

/** Skips the directory and checks that the archive is complete and counts as many entries as came. */
async function readToEnd(reader: ByteReader, entries: number, limits: ArchiveLimits): Promise<void> {
  const start = reader.position
  let tail: Buffer = Buffer.alloc(0)
  for (let piece = await reader.some(TAIL_LENGTH); piece; piece = await reader.some(TAIL_LENGTH)) {
    tail = Buffer.concat([tail, piece]).subarray(-TAIL_LENGTH)
    if (reader.position - start > limits.directoryBytes) throw damaged('The archive does not end after its directory.')
  }
  const at = findEnd(tail)
  if (at === undefined) throw damaged(`The archive is cut off in its directory, at byte ${reader.position}.`)
  const counted = tail.readUInt16LE(at + 10)
  if (counted !== Math.min(entries, 0xffff)) throw damaged(`The archive has ${entries} entries but counts ${counted}.`)
}
