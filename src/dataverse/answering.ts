import { createHash } from 'node:crypto'
import { DataferryError } from '../errors.ts'
import {
  ANSWER_COUNTS_MS,
  type AnsweredGuestbook,
  type GivenAnswer,
  type GivenAnswers,
  type GuestbookResponse,
  type Respond,
} from '../model/guestbook.ts'
import { afterCounting } from '../model/source.ts'
import { responseBody, signedUrl, type Handshake } from './guestbook.ts'
import { demandedGuestbook, isGuarded, type Guestbooks } from './guestbooks.ts'
import type { Installation } from './installation.ts'
import { countedQuery, openedFrom, openFile, rangeOf, uncountedQuery, type FileRequest, type Opened } from './open.ts'

/** Where a store has the bytes of a request, and the answer that opened the way. */
interface Stored {
  readonly url: string
  readonly answered: AnsweredGuestbook
}

/**
 * Opens files, and answers guestbooks where the server demands it. A plain request goes first: where none is demanded, and on
 * servers before 6.10, an answer would be refused. Every answer makes a record that curators read, so a further request for the
 * same thing goes by what is left of the last one: the link to a store, or the number of the record, which counts for a minute.
 * The signed URL is opened at once and kept nowhere. @see the protocol note §1.2
 */
export class Answering {
  readonly #installation: Installation
  readonly #guestbooks: Guestbooks
  readonly #answers: GuestbookResponse | Respond | undefined
  readonly #given: GivenAnswers
  readonly #stored = new Map<string, Stored>()

  /** @param answers undefined: a guestbook that is demanded is refused, with what it asks */
  constructor(
    installation: Installation,
    guestbooks: Guestbooks,
    answers: GuestbookResponse | Respond | undefined,
    given: GivenAnswers,
  ) {
    this.#installation = installation
    this.#guestbooks = guestbooks
    this.#answers = answers
    this.#given = given
  }

  /** @param mayAnswer false: with earlier answers only */
  async open(request: FileRequest, handshake: Handshake, mayAnswer = true): Promise<Opened> {
    try {
      return (await this.#byLink(request)) ?? (await openFile(this.#installation, request))
    } catch (refusal) {
      if (!isGuarded(refusal)) throw refusal
      const key = this.#keyOf(request)
      const opened = await this.#byRecord(key, request)
      if (opened) return opened
      if (!mayAnswer) throw refusal
      return this.#answer(refusal, key, request, handshake)
    }
  }

  async #byLink(request: FileRequest): Promise<Opened | undefined> {
    // Most files are behind no guestbook.
    if (this.#stored.size === 0 || request.link) return undefined
    const key = this.#keyOf(request)
    const stored = this.#stored.get(key)
    if (!stored) return undefined
    try {
      const asked = { ...request, range: rangeOf(request) }
      const answer = await this.#installation.sendStored(stored.url, asked)
      return { ...(await openedFrom(this.#installation, answer, request)), answered: stored.answered }
    } catch (error) {
      request.signal?.throwIfAborted()
      if (!(error instanceof DataferryError)) throw error
      // It has expired, most likely: what else may be wrong shows without it, too.
      this.#stored.delete(key)
      return undefined
    }
  }

  async #byRecord(key: string, request: FileRequest): Promise<Opened | undefined> {
    const answer = await this.#given.find(key)
    if (!answer) return undefined
    const named = ['gbrids', String(answer.record)] as const
    try {
      const opened = await openFile(this.#installation, { ...request, query: [...uncountedQuery(request), named] })
      return this.#opened(key, opened, answer)
    } catch (error) {
      // By the server's clock it is too old, or its record is gone.
      if (isGuarded(error) || (error instanceof DataferryError && error.code === 'SOURCE_NOT_FOUND')) return undefined
      throw error
    }
  }

  async #answer(refusal: DataferryError, key: string, request: FileRequest, handshake: Handshake): Promise<Opened> {
    const response = await this.#guestbooks.responseTo(refusal, this.#answers, request.signal)
    const answeredNow = (): AnsweredGuestbook => ({
      id: demandedGuestbook(refusal) ?? 0,
      answeredAt: new Date().toISOString(),
    })
    if (handshake === 'direct') {
      const opened = await openFile(this.#installation, { ...request, ...responseBody(request, response) })
      return { ...opened, answered: answeredNow() }
    }
    const url = await signedUrl(this.#installation, request, response)
    const answered = answeredNow()
    const record = recordIn(url)
    if (record !== undefined) this.#keep(key, { ...answered, record })
    try {
      const { route, signal } = request
      const answer = await this.#installation.sendSigned(url, { route, range: rangeOf(request), signal })
      return this.#opened(key, await openedFrom(this.#installation, answer, request), answered)
    } catch (error) {
      // The record of the answer is that of the download.
      throw afterCounting(error)
    }
  }

  /** Without waiting: the URL that was signed works for a minute only. */
  #keep(key: string, answer: GivenAnswer): void {
    this.#given.keep(key, answer).catch(() => undefined)
  }

  #opened(key: string, opened: Opened, { id, answeredAt }: AnsweredGuestbook): Opened {
    const answered = { id, answeredAt }
    const { stored, handedTo } = opened.answer
    if (stored && handedTo !== undefined) this.#stored.set(key, { url: handedTo, answered })
    return { ...opened, answered }
  }

  /** What is requested, whichever part of it, and whether it is counted. */
  #keyOf(request: FileRequest): string {
    const { route, method = 'GET', body } = request
    const text = [method, this.#installation.url(route, countedQuery(request)), body?.text ?? ''].join(' ')
    return createHash('sha256').update(text).digest('hex').slice(0, 32)
  }
}

/** The number of the record that an answer made, in the URL that was signed for it. */
function recordIn(url: string): number | undefined {
  const digits = new URL(url).searchParams.get('gbrids') ?? ''
  return /^\d{1,15}$/.test(digits) ? Number(digits) : undefined
}

/** Remembers answers in this process. */
export function answersHere(): GivenAnswers {
  const kept = new Map<string, GivenAnswer & { readonly until: number }>()
  return {
    find: (request) => {
      const answer = kept.get(request)
      return Promise.resolve(answer && answer.until > performance.now() ? answer : undefined)
    },
    keep: (request, answer) => {
      kept.set(request, { ...answer, until: performance.now() + ANSWER_COUNTS_MS })
      return Promise.resolve()
    },
  }
}
