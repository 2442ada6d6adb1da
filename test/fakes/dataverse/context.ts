import type { Call } from './call.ts'
import type { Features } from './profile.ts'
import type { Settings } from './settings.ts'
import type { GuestbookSpec, VersionSpec } from './specs.ts'
import type { World } from './world.ts'

/** Who asks. Undefined stands for the guest. */
export interface User {
  /** Assignee, e.g. `@jane`. */
  readonly name: string
  readonly superuser: boolean
  /** Ids of files with DownloadFile; access grants add to it. */
  readonly grants: Set<number>
  /** PIDs of datasets with all rights (view unpublished, edit, manage file permissions); `'all'` for every one. */
  readonly curates: ReadonlySet<string> | 'all'
  /** The day from which on the token is not accepted. */
  readonly expires?: string | undefined
  /** The bearer of a preview-URL token: may look at what `curates` names, and has no account. */
  readonly preview: boolean
}

/** What routes work with. */
export interface Context {
  readonly world: World
  readonly features: Features
  /** Current values: read them at each use. */
  readonly settings: Settings
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Origins, without trailing slash. */
  readonly url: string
  readonly storageUrl: string
  readonly secret: string
  readonly tokens: Map<string, User>
  readonly memory: Memory
  /** Recorded downloads of a file. */
  readonly downloads: (file: number) => number
}

/** A message of the installation to one of its users. */
export interface Notification {
  readonly id: number
  /** Assignee. */
  readonly user: string
  readonly type: 'REQUESTEDFILEACCESS' | 'GRANTFILEACCESS' | 'REJECTFILEACCESS'
  /** PID: not even a rejection names the file. */
  readonly dataset: string
  readonly at: number
}

/** What somebody answered, and for which file. */
export interface GuestbookRecord {
  readonly id: number
  readonly guestbook: number | undefined
  /** Id of the dataset. */
  readonly dataset: number
  readonly file: number
  /** Undefined: a guest. */
  readonly user: string | undefined
  readonly event: 'Download' | 'AccessRequest'
  /** As it was sent. */
  readonly response: unknown
  readonly at: number
}

/** What requests leave behind. */
export interface Memory {
  /** Guestbook responses by id: one for each file. */
  readonly responses: Map<number, GuestbookRecord>
  /** Access requests: file → user → state. */
  readonly accessRequests: Map<number, Map<string, 'created' | 'granted' | 'rejected'>>
  readonly notifications: Notification[]
  /** Jobs of the external ZIP service. */
  readonly zipJobs: Map<string, { readonly files: readonly number[]; readonly at: number }>
  /** Limiter buckets. */
  readonly buckets: Map<string, { tokens: number; minute: number }>
  /** Datasets that were made by the API, as they are described now. */
  readonly written: Map<number, { readonly collection: string; readonly versions: readonly VersionSpec[] }>
  /** Those of them that have neither terms nor licence. */
  readonly withoutTerms: Set<number>
  /** Guestbooks that were made by the API. */
  readonly guestbooks: Map<number, GuestbookSpec>
  /** Listings so far: what makes paging unstable. */
  listings: number
}

export function freshMemory(): Memory {
  return {
    responses: new Map(),
    accessRequests: new Map(),
    notifications: [],
    zipJobs: new Map(),
    buckets: new Map(),
    written: new Map(),
    withoutTerms: new Set(),
    guestbooks: new Map(),
    listings: 0,
  }
}

/** A request with its sender. */
export interface Visit {
  readonly call: Call
  readonly user: User | undefined
  /** Authenticated by a signed URL. */
  readonly signed: boolean
  /** Records a download of a file. */
  readonly count: (file: number) => void
}
