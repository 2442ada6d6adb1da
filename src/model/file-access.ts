import type { Withheld } from './item.ts'

/** Why a file cannot be downloaded, as its server describes it now. */
export interface FileFacts {
  readonly withheld?: Withheld
  /** As in `Item`. */
  readonly withheldDay?: string
}

/** What became of a request for access. `exists`: this user's earlier one is open. `available`: there is nothing to request. */
export type Requested =
  { readonly kind: 'made' | 'exists' | 'available' } | { readonly kind: 'refused'; readonly why: string }

/** A rejection, of which servers tell the dataset and not the file. */
export interface Rejection {
  /** PID of the dataset. */
  readonly dataset: string
  readonly at: Date
}

/**
 * What one installation says about access to its files, to the user of the token. Every method rejects with `SOURCE_…` and
 * `TOKEN_REJECTED` codes.
 */
export interface FileAccess {
  facts(file: number | string, signal: AbortSignal): Promise<FileFacts>
  /** Requests access. Sent once: a lost answer leaves open whether it was made. Rejects with `SOURCE_GUESTBOOK` where one must be answered. */
  request(file: number | string, signal: AbortSignal): Promise<Requested>
  /** Whether this user ever requested access to a file, whatever became of it. */
  hasRequested(file: number | string, signal: AbortSignal): Promise<boolean>
  /** Which of these files this user may download by now. Files that the server says nothing about are in neither list. */
  permitted(
    files: readonly number[],
    signal: AbortSignal,
  ): Promise<{ readonly yes: ReadonlySet<number>; readonly no: ReadonlySet<number> }>
  /** Rejections of this user's requests, the newest first; none where the server does not tell. */
  rejections(since: Date, signal: AbortSignal): Promise<readonly Rejection[]>
}
