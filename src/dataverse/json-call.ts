import type { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { JsonShape } from '../json/json-parts.ts'
import { partsOf } from './answer-parts.ts'
import { envelopeMessage, envelopeOf, parseEnvelope, type Envelope } from './envelope.ts'
import type { Answer, ApiRequest, Installation } from './installation.ts'
import { withRetries, type RetryPolicy } from './retry.ts'

/** Longest text read whole, in bytes: the DDI of a table with very many variables. */
const LONGEST_TEXT = 512 * 1024 * 1024
/** Longest refusal, in bytes. */
const LONGEST_REFUSAL = 1024 * 1024
/** Servers before 6.2 list all files with a version, even unrequested. */
const ANSWER: JsonShape = { members: { data: { members: { files: { skip: true } } } } }

/** Requests JSON and unwraps its envelope. `TOKEN_REJECTED` or `SOURCE_…` otherwise. */
export class JsonCalls {
  readonly #installation: Installation
  readonly #policy: RetryPolicy

  constructor(installation: Installation, policy: RetryPolicy) {
    this.#installation = installation
    this.#policy = policy
  }

  /** The `data` of a GET, checked with `schema`. */
  async get<T>(request: ApiRequest, schema: z.ZodType<T>): Promise<T> {
    return this.#checked(await this.envelope(request), schema, request)
  }

  /**
   * The `data` of a GET, or undefined when `absent` says that this 404 means "there is none". It is asked only about answers of
   * the API: a page says nothing.
   */
  async find<T>(
    request: ApiRequest,
    schema: z.ZodType<T>,
    absent: (envelope: Envelope) => boolean,
  ): Promise<T | undefined> {
    const envelope = await this.#retrying(request, async () => {
      const answer = await this.#installation.send(request)
      return answer.status === 404 ? this.#unless(answer, absent) : this.#envelopeOf(answer)
    })
    return envelope && this.#checked(envelope, schema, request)
  }

  /** The sentence that a PUT or DELETE answers. Sent once: a lost answer leaves open whether it was done. */
  async message(request: ApiRequest): Promise<string | undefined> {
    return envelopeMessage(await this.#envelopeOf(await this.#installation.send(request)))
  }

  /** The envelope of any request, after retries for a GET. */
  async envelope(request: ApiRequest): Promise<Envelope> {
    return this.#retrying(request, async () => this.#envelopeOf(await this.#installation.send(request)))
  }

  /** Text that comes without an envelope, e.g. XML. */
  async text(request: ApiRequest): Promise<string> {
    return this.#retrying(request, async () => {
      const answer = await this.#installation.send(request)
      if (answer.status !== 200) throw await this.#installation.failure(answer)
      return (await answer.body.bytes(LONGEST_TEXT)).toString('utf8')
    })
  }

  async #retrying<T>(request: ApiRequest, attempt: () => Promise<T>): Promise<T> {
    const repeatable = (request.method ?? 'GET') === 'GET'
    const slotted = async (): Promise<T> => {
      const slot = await this.#installation.slot(request.signal)
      return attempt().finally(() => slot.release())
    }
    return repeatable ? withRetries(slotted, this.#policy, request.signal) : slotted()
  }

  async #unless(answer: Answer, absent: (envelope: Envelope) => boolean): Promise<undefined> {
    const text = (await answer.body.beginning(LONGEST_REFUSAL)).toString('utf8')
    const envelope = parseEnvelope(text)
    if (!envelope || !absent(envelope)) throw this.#installation.failureOf(answer, text)
  }

  async #envelopeOf(answer: Answer): Promise<Envelope> {
    if (answer.status < 200 || answer.status > 299 || answer.status === 202) {
      throw await this.#installation.failure(answer)
    }
    const envelope = envelopeOf(await this.#json(answer))
    if (envelope?.status === 'OK') return envelope
    const message = `${answer.host} answered ${answer.what} with something that is not the API's JSON.`
    throw new DataferryError('SOURCE_UNEXPECTED', message, { status: answer.status })
  }

  /** An answer without lists; one too long to keep is an error. */
  async #json(answer: Answer): Promise<unknown> {
    let whole: unknown
    for await (const { value } of partsOf(answer, ANSWER)) whole = value
    return whole
  }

  #checked<T>(envelope: Envelope, schema: z.ZodType<T>, { route }: ApiRequest): T {
    return checkData(envelope.data, schema, this.#installation.host, route.what, 'SOURCE_MISLISTED')
  }
}

/**
 * Validates what a server sent; the error names the first place that differs, not its value.
 * @param code `SOURCE_MISLISTED` where the answer is certainly the API's own, so that a retry would not help
 */
export function checkData<T>(
  data: unknown,
  schema: z.ZodType<T>,
  host: string,
  what: string,
  code: 'SOURCE_UNEXPECTED' | 'SOURCE_MISLISTED' = 'SOURCE_UNEXPECTED',
): T {
  const checked = schema.safeParse(data)
  if (checked.success) return checked.data
  const issue = checked.error.issues[0]
  const place = issue?.path.join('.') ?? ''
  const message = `${host} describes ${what} in a way that cannot be understood: ${place || 'data'}: ${issue?.message ?? ''}.`
  throw new DataferryError(code, message)
}
