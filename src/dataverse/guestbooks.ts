import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { PERSON, type Guestbook, type GuestbookResponse, type Respond } from '../model/guestbook.ts'
import type { Installation } from './installation.ts'
import type { JsonCalls } from './json-call.ts'

const flag = z.boolean().nullish()
const guestbookSchema = z.looseObject({
  id: z.number(),
  name: z.string().nullish(),
  enabled: flag,
  nameRequired: flag,
  emailRequired: flag,
  institutionRequired: flag,
  positionRequired: flag,
  customQuestions: z
    .array(
      z.looseObject({
        id: z.number(),
        question: z.string(),
        required: flag,
        hidden: flag,
        type: z.string().nullish(),
        displayOrder: z.number().nullish(),
        optionValues: z.array(z.looseObject({ value: z.string() })).nullish(),
      }),
    )
    .nullish(),
})

/** Curators change a guestbook now and then; a batch runs for days. */
const KEPT_MS = 10 * 60_000

/** A server refused a request since its guestbook must be answered first. */
export function isGuarded(error: unknown): error is DataferryError {
  return error instanceof DataferryError && error.code === 'SOURCE_GUESTBOOK'
}

/** The guestbooks of one installation, each asked for once in a while. */
export class Guestbooks {
  readonly #installation: Pick<Installation, 'redact'>
  readonly #calls: Pick<JsonCalls, 'find'>
  readonly #known = new LRUCache<number, Guestbook>({ max: 1000, ttl: KEPT_MS })

  constructor(installation: Pick<Installation, 'redact'>, calls: Pick<JsonCalls, 'find'>) {
    this.#installation = installation
    this.#calls = calls
  }

  /**
   * What a guestbook asks; undefined where the server knows none of this number. Servers before 6.10 tell of none, and
   * enforce none. @see the protocol note §1.2
   */
  async find(id: number, signal: AbortSignal | undefined): Promise<Guestbook | undefined> {
    const known = this.#known.get(id)
    if (known) return known
    const route = { path: `guestbooks/${id}`, query: [], what: `guestbook ${id}` }
    const element = await this.#calls.find({ route, signal }, guestbookSchema, () => true)
    if (!element) return undefined
    const guestbook = guestbookOf(element)
    this.#known.set(id, guestbook)
    return guestbook
  }

  /**
   * The response to the guestbook that a server demanded with `refusal`. Rejects with `SOURCE_GUESTBOOK` that says what is
   * asked where there are no answers or the server does not tell its questions, and as `answers` does.
   */
  async responseTo(
    refusal: DataferryError,
    answers: GuestbookResponse | Respond | undefined,
    signal: AbortSignal | undefined,
  ): Promise<GuestbookResponse> {
    if (answers !== undefined && typeof answers !== 'function') return answers
    const id = demandedGuestbook(refusal)
    const found = id === undefined ? undefined : this.find(id, signal)
    // Without answers it is refused anyway.
    const guestbook = await (answers ? found : found?.catch(() => undefined))
    signal?.throwIfAborted()
    if (answers && guestbook) return answers(guestbook)
    const wanted = guestbook
      ? `It asks for ${this.#installation.redact(questionsOf(guestbook))}.`
      : 'give truthful answers as guestbookResponse'
    const { status } = refusal
    throw new DataferryError('SOURCE_GUESTBOOK', `${refusal.message} ${wanted}`, {
      cause: refusal,
      ...(status !== undefined && { status }),
    })
  }
}

/** The number of the guestbook that a refusal names. */
export function demandedGuestbook({ message }: DataferryError): number | undefined {
  const digits = /guestbook ?id (\d{1,15})/i.exec(message)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

function questionsOf({ required, questions }: Guestbook): string {
  const asked = questions.map(({ id, question, options, required: isRequired }) => {
    const choice = options.length > 0 ? `: ${options.join(' | ')}` : ''
    return `answer ${id} "${question}"${choice}${isRequired ? '' : ' (optional)'}`
  })
  return [...required, ...asked].join(', ') || 'a response, without any required entry'
}

function guestbookOf(element: z.infer<typeof guestbookSchema>): Guestbook {
  const questions = (element.customQuestions ?? [])
    .filter(({ hidden }) => !hidden)
    .sort((a, b) => (a.displayOrder ?? 0) - (b.displayOrder ?? 0))
  return {
    id: element.id,
    name: element.name ?? '',
    enabled: element.enabled ?? true,
    required: PERSON.filter((entry) => element[`${entry}Required`]),
    questions: questions.map(({ id, question, required, type, optionValues }) => ({
      id,
      question,
      required: required ?? false,
      options: (optionValues ?? []).map(({ value }) => value),
      multiline: type === 'textarea',
    })),
  }
}
