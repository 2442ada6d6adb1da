import type { Checksum } from './checksum.ts'
import type { Withheld } from './item.ts'

/** A file as a dataset listing describes it. Names are the server's own: not yet safe as paths. */
export interface ListedFile {
  readonly id: number
  /** Absent when the file has no PID of its own, which is common. */
  readonly pid?: string
  readonly label: string
  /** Folder within the dataset, `/` between segments; '' at the top. */
  readonly directory: string
  /** Bytes of the stored form; absent when the server does not know. For tabular files: of the `.tab` without header line. */
  readonly size?: number
  /** For tabular files: of the original. Absent when the server has none or one that cannot be right. */
  readonly checksum?: Checksum
  readonly contentType?: string
  readonly tabular: boolean
  /** Only of tabular files. */
  readonly original?: { readonly name?: string; readonly size?: number; readonly contentType?: string }
  readonly withheld?: Withheld
  /** The day (UTC) on which its embargo ends, or has ended. */
  readonly embargoEnds?: string
  /** The first day (UTC) on which an embargoed file can be downloaded. */
  readonly availableFrom?: string
  /** The last day (UTC) on which a file whose retention period has ended could be downloaded. */
  readonly availableUntil?: string
  /** Id of the file that this one replaced. */
  readonly replaces?: number
}

/** An entry of a listing that cannot be a file, such as one without an id, as far as it can be understood. */
export interface MislistedFile {
  readonly label: string
  readonly directory: string
  /** One sentence: what of it cannot be right. */
  readonly mislisted: string
}

/** A dataset version, pinned. */
export interface ListedVersion {
  /** PID of the dataset. */
  readonly dataset: string
  /** `2.1`, or `:draft`. */
  readonly version: string
  readonly title?: string
  /** A guestbook must be answered before a download. */
  readonly guestbookId?: number
  /** Terms of use of its own, in place of a licence: texts by the server's names for them. */
  readonly terms?: Readonly<Record<string, string>>
}

/** What the planner asks a server; `NativeApi` is the real one. Every method rejects with `SOURCE_…` and `TOKEN_REJECTED` codes. */
export interface Catalogue {
  /** Pins a selector (`:latest`, `:latest-published`, `:draft`, `1`, `1.0`) to a version number. */
  version(dataset: number | string, selector: string, signal: AbortSignal): Promise<ListedVersion>
  /** Every file of a pinned version exactly once, in bounded memory; what is listed as a file and cannot be one, too. */
  files(dataset: number | string, version: string, signal: AbortSignal): AsyncIterable<ListedFile | MislistedFile>
  /** Whether DOIs are case-sensitive on this server. */
  tellsCase(signal: AbortSignal): Promise<boolean>
  /** One file, with the dataset version it was found in. */
  file(file: number | string, signal: AbortSignal): Promise<ListedFile & { readonly in: ListedVersion }>
}
