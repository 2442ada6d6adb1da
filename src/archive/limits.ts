import { hostile } from './damage.ts'

/** Limits beyond which an archive is refused. Counts and bytes. */
export interface ArchiveLimits {
  readonly entries: number
  /** All names, extra fields and comments together: what is held in memory at once. */
  readonly directoryBytes: number
  /** Unpacked bytes of all entries. */
  readonly totalBytes: number
  /** Unpacked bytes per byte of the archive, checked once `ratioFrom` bytes are unpacked. */
  readonly ratio: number
  readonly ratioFrom: number
  /** A longer `MANIFEST.TXT` is not read as the server's, since it is held in memory. */
  readonly manifestBytes: number
}

const MIB = 1024 * 1024

/** For archives of unknown content. */
export const DEFAULT_LIMITS: ArchiveLimits = {
  entries: 250_000,
  directoryBytes: 64 * MIB,
  totalBytes: 16 * 1024 * 1024 * MIB,
  ratio: 100,
  ratioFrom: 1024 * MIB,
  manifestBytes: 64 * MIB,
}

/**
 * For an archive whose requested content is known: accepts about twice as much, whatever its ratio.
 * The allowance covers folders, the manifest, header lines of tabular files, and the other form of a file.
 */
export function limitsFor(asked: { readonly files: number; readonly bytes: number }): ArchiveLimits {
  return {
    ...DEFAULT_LIMITS,
    entries: 2 * asked.files + 100,
    totalBytes: 2 * asked.bytes + asked.files * 64 * 1024 + DEFAULT_LIMITS.manifestBytes,
    ratio: Infinity,
  }
}

/** Counts what an archive unpacks to, and stops at the limits. */
export class Budget {
  readonly #limits: ArchiveLimits
  #entries = 0
  #bytes = 0

  constructor(limits: ArchiveLimits) {
    this.#limits = limits
  }

  get entries(): number {
    return this.#entries
  }

  /** One more entry. Throws `ZIP_HOSTILE`. */
  spendEntry(): void {
    this.#entries += 1
    refuseCount(this.#entries, this.#limits)
  }

  /** More unpacked bytes, after `read` bytes of the archive. Throws `ZIP_HOSTILE`. */
  spendBytes(bytes: number, read: number): void {
    this.#bytes += bytes
    refuseSize(this.#bytes, read, this.#limits)
  }
}

/** Throws `ZIP_HOSTILE` when an archive has more entries than allowed. */
export function refuseCount(entries: number, limits: ArchiveLimits): void {
  if (entries > limits.entries) throw hostile(`The archive has more than ${limits.entries} entries.`)
}

/** Throws `ZIP_HOSTILE` when `bytes` are more than an archive of `packed` bytes may unpack to. */
export function refuseSize(bytes: number, packed: number, limits: ArchiveLimits): void {
  if (bytes > limits.totalBytes) throw hostile(`The archive unpacks to more than ${limits.totalBytes} bytes.`)
  if (bytes > limits.ratioFrom && bytes > limits.ratio * packed) {
    throw hostile(`The archive unpacks to more than ${limits.ratio} times its size.`)
  }
}
