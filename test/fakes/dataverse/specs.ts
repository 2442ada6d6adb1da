import type { ChecksumType } from './content.ts'

/** Bytes as a world describes them: given, or generated from a seed. Everything but a buffer can be written as JSON. */
export type ContentSpec =
  Uint8Array | string | { readonly size: number; readonly seed: number } | { readonly base64: string }

/**
 * Where the bytes lie. `stream`: the server sends them itself. `s3-redirect`: 303 to the storage host.
 * `missing`: the database knows the file, the disk does not.
 */
export const STORES = ['stream', 's3-redirect', 'missing'] as const
type Store = (typeof STORES)[number]

/** An ingested tabular file: the upload is kept beside a tab-delimited form. */
interface TabularSpec {
  readonly original: ContentSpec
  /** Names of the variables: the header line. */
  readonly header: readonly string[]
  /** Rows, tab-delimited, without the header line. */
  readonly tab: ContentSpec
  /** The stored object begins with the header line already (6.2+, opt-in). */
  readonly storedWithHeader?: boolean
  readonly originalName?: string
  /** Default `text/csv`. */
  readonly originalContentType?: string
  /** What the listing says about the original's size; null: nothing. Default: the truth. */
  readonly statedOriginalSize?: number | null
  /** The published MD5 is that of the stored rows without header: some old files (#9501). */
  readonly legacyChecksum?: boolean
}

export interface AuxiliarySpec {
  readonly tag: string
  readonly version: string
  readonly content: ContentSpec
  readonly contentType: string
  readonly type?: string
  readonly origin?: string
  readonly isPublic?: boolean
}

/** One file in a version. The same object or the same `id` in a second version is the same data file, maybe renamed. */
export interface FileSpec {
  readonly id?: number
  readonly label: string
  /** Default: at the top. */
  readonly directory?: string
  /** One of `content` and `tabular` is given; without either the file is empty. */
  readonly content?: ContentSpec
  readonly tabular?: TabularSpec
  readonly contentType?: string
  /** Default MD5 of the bytes; null: the listing has none; with a value: that, true or not. */
  readonly checksum?: ChecksumType | null | { readonly type: ChecksumType; readonly value: string }
  /** What the listing says instead of the true size; -1: unknown. */
  readonly statedSize?: number
  readonly restricted?: boolean
  readonly embargo?: { readonly dateAvailable: string; readonly reason?: string }
  readonly retention?: { readonly dateUnavailable: string; readonly reason?: string }
  /** Default none: `persistentId` is `""` then. */
  readonly pid?: string
  readonly store?: Store
  readonly description?: string
  readonly categories?: readonly string[]
  /** Id of the file that it replaced. */
  readonly replaces?: number
  readonly auxiliary?: readonly AuxiliarySpec[]
}

export const VERSION_STATES = ['RELEASED', 'DRAFT', 'DEACCESSIONED'] as const
export type VersionState = (typeof VERSION_STATES)[number]

export interface VersionSpec {
  /** Default: the next of a series of its own. */
  readonly id?: number
  /** `1.0`; ignored for a draft. */
  readonly number?: string
  /** Default RELEASED. */
  readonly state?: VersionState
  /** Why a deaccessioned version is none any more, and where to look instead. */
  readonly deaccession?: { readonly note: string; readonly link?: string } | undefined
  readonly files: readonly FileSpec[]
  /** Seconds, UTC; default: the time of all that is not said. */
  readonly lastUpdateTime?: string
  readonly releaseTime?: string
  /** Counts changes of the row. */
  readonly counter?: number
}

export interface GuestbookSpec {
  readonly id: number
  readonly name?: string
  /** Default true. */
  readonly enabled?: boolean
  readonly nameRequired?: boolean
  readonly emailRequired?: boolean
  readonly institutionRequired?: boolean
  readonly positionRequired?: boolean
  readonly customQuestions?: readonly {
    readonly id: number
    readonly question: string
    readonly required?: boolean
    readonly type?: 'text' | 'textarea' | 'options'
    readonly options?: readonly string[]
  }[]
}

interface DatasetBasics {
  readonly id?: number
  readonly title?: string
  /** Alias of its collection; default `root`. */
  readonly collection?: string
  readonly guestbook?: GuestbookSpec
  /** Terms of use of its own, in place of a licence. */
  readonly terms?: Readonly<Record<string, string>>
  /** The guestbook is answered with a request for access, and not at a download. Default false. */
  readonly guestbookAtRequest?: boolean
  /** Its files live elsewhere and cannot be fetched here. */
  readonly harvested?: boolean
  readonly fileAccessRequest?: boolean
  /** Aliases of collections that show it although it is not theirs. */
  readonly linkedTo?: readonly string[]
  /** When anything in it was changed, a draft included. */
  readonly modifiedAt?: string
  /** The version that exports are of; default: the newest. */
  readonly exported?: string | undefined
}

/** A dataset: all its versions, or one released version 1.0 given as a list or as a function of the index. */
export type DatasetSpec = DatasetBasics &
  (
    | { readonly versions: readonly VersionSpec[] }
    | { readonly files: readonly FileSpec[] }
    /** `fileAt` is asked anew each time and gives labels in ascending order; nothing is kept. `id`s are assigned. */
    | { readonly count: number; readonly fileAt: (index: number) => FileSpec }
  )
