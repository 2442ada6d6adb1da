import type { ListedFile, MislistedFile } from './listing.ts'

/** A dataset as a sweep finds it. */
export interface FoundDataset {
  /** The server's own id: it stays when the PID changes or the dataset moves. */
  readonly id: number
  readonly pid: string
  /** Alias of the collection that owns it; unknown where it was found by a walk. */
  readonly owner?: string | undefined
  /** What the search says of its newest release; undefined where it was not searched for. */
  readonly seen?: SeenVersion | undefined
}

/** The newest release as the search shows it: a hint, since the index may lag. */
export interface SeenVersion {
  readonly versionId: number
  /** `2.1`; undefined where the server does not say. */
  readonly number?: string | undefined
  /** Time of the last change of anything in the dataset, drafts included. */
  readonly updatedAt?: string | undefined
}

/** A released version, by the versions listing. */
export interface ReleasedVersion {
  readonly id: number
  /** `2.1` */
  readonly number: string
  /** Moves when a version is changed under its number (“update current version”). */
  readonly lastUpdateTime?: string | undefined
  readonly releaseTime?: string | undefined
  /** A counter of the database row, since 6.7: moves with notes, too. */
  readonly counter?: number | undefined
  /** The guestbook of its dataset. */
  readonly guestbookId?: number | undefined
}

/** What a server says when it is asked for one dataset. */
export type DatasetAnswer =
  /** `owners`: ids and aliases of its collection and those above. */
  | { readonly state: 'released'; readonly owners: readonly string[] }
  | { readonly state: 'deaccessioned'; readonly reason?: string | undefined; readonly forward?: string | undefined }
  /** Destroyed, or hidden from this user. */
  | { readonly state: 'unknown' }
  | { readonly state: 'denied' }

/** Where to look for datasets by the index. */
export interface SearchScope {
  /** Alias of a collection: with everything below it, and what is linked into those. Default: the whole installation. */
  readonly collection?: string
  /** In Solr's words. Default: everything. */
  readonly query?: string
  /** Those that were harvested, whose files are elsewhere, instead of the installation's own. */
  readonly harvested?: boolean
}

/** Metadata of a dataset in a form that the server exports. */
export interface MetadataExport {
  readonly bytes: Uint8Array
  /** The version that the export itself names; undefined: it names none. */
  readonly version: string | undefined
}

/** What a mirror asks one server. Every method rejects with `SOURCE_…` and `TOKEN_REJECTED` codes. */
export interface MirrorSource {
  /** Released datasets that the index knows, by ascending id, a page at a time, each once. */
  search(scope: SearchScope, after: number, signal: AbortSignal): AsyncIterable<readonly FoundDataset[]>
  /**
   * Tells of every dataset of a collection and of those within, by the database, in no order; after a failure of some again.
   * @param patiently asks for the contents of a collection again while it is worth waiting
   */
  walk(
    collection: number | string,
    tell: (dataset: FoundDataset) => Promise<void>,
    signal: AbortSignal,
    patiently?: <T>(call: () => Promise<T>) => Promise<T>,
  ): Promise<void>
  /** One dataset by its PID; undefined where the server does not show it. */
  find(pid: string, signal: AbortSignal): Promise<FoundDataset | undefined>
  /** Whether the index knows a released dataset of the installation's own, wherever it is. */
  indexed(dataset: number, signal: AbortSignal): Promise<boolean>
  /** A collection's own alias and those above it, the nearest first. */
  owners(collection: string, signal: AbortSignal): Promise<readonly string[]>
  /** Released versions, newest first; empty when nothing is released any more. */
  versions(dataset: number, signal: AbortSignal): Promise<readonly ReleasedVersion[]>
  /** Every file of a released version, and what is listed as one and cannot be. */
  files(dataset: number, version: string, signal: AbortSignal): AsyncIterable<ListedFile | MislistedFile>
  ask(dataset: number, signal: AbortSignal): Promise<DatasetAnswer>
  /** The version's own JSON as the server has it, without files. */
  metadata(dataset: number, version: string, signal: AbortSignal): Promise<Uint8Array>
  /** An export of the newest release; undefined where the server has none of this form. */
  export(pid: string, exporter: string, signal: AbortSignal): Promise<MetadataExport | undefined>
  /** The search that defines an OAI set. */
  setDefinition(set: string, signal: AbortSignal): Promise<string>
}
