/** What a guestbook may ask about the person, beside its own questions. */
export const PERSON = ['name', 'email', 'institution', 'position'] as const
/** One of `PERSON`. */
export type PersonEntry = (typeof PERSON)[number]

/** One of a guestbook's own questions. */
export interface Question {
  readonly id: number
  readonly question: string
  readonly required: boolean
  /** The only answers to a choice; empty where any text is one. */
  readonly options: readonly string[]
  /** The answer may have several lines. */
  readonly multiline: boolean
}

/** A guestbook of a server. */
export interface Guestbook {
  readonly id: number
  readonly name: string
  /** Whether it is asked at all. */
  readonly enabled: boolean
  readonly required: readonly PersonEntry[]
  /** In the order of the form; hidden ones are left out. */
  readonly questions: readonly Question[]
}

/** Truthful answers to the guestbook of a dataset. With a token, what the account already says need not be repeated. */
export interface GuestbookResponse {
  readonly name?: string | undefined
  readonly email?: string | undefined
  readonly institution?: string | undefined
  readonly position?: string | undefined
  /** By the id of a question; several lines for a text area, one of its options for a choice. */
  readonly answers?: readonly { readonly id: number; readonly value: string | readonly string[] }[] | undefined
}

/**
 * Gives the answers to a guestbook, at the moment when a server demands them.
 * Rejects with `SOURCE_GUESTBOOK` when there are none, or not all that it requires.
 */
export type Respond = (guestbook: Guestbook) => GuestbookResponse | Promise<GuestbookResponse>

/** That a guestbook was answered: never with what. */
export interface AnsweredGuestbook {
  readonly id: number
  /** By our clock. */
  readonly answeredAt: string
}

/** An answer that a server has recorded, and lets count for further requests for a while. */
export interface GivenAnswer extends AnsweredGuestbook {
  /** The number of the server's record of it: no secret, as it is one more than that of the record before. */
  readonly record: number
}

/** Remembers answers for `ANSWER_COUNTS_MS` after they were given, by what was requested with them. */
export interface GivenAnswers {
  find(request: string): Promise<GivenAnswer | undefined>
  keep(request: string, answer: GivenAnswer): Promise<void>
}

/** Servers let an answer count for a minute; less what a request may take on its way. @see the protocol note §1.2 */
export const ANSWER_COUNTS_MS = 50_000
