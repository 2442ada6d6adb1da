import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { ApiRequest, Installation } from './installation.ts'
import { checkData } from './json-call.ts'
import { openFile, openedFrom, type FileRequest, type Opened } from './open.ts'
import { parseEnvelope } from './envelope.ts'

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
 * How a route takes the answers by POST: most return a signed URL that is valid for a minute, the bundle and the list of
 * ids in a body return the file directly.
 */
export type Handshake = 'signed-url' | 'direct'

const guestbookSchema = z.looseObject({
  nameRequired: z.boolean().nullish(),
  emailRequired: z.boolean().nullish(),
  institutionRequired: z.boolean().nullish(),
  positionRequired: z.boolean().nullish(),
  customQuestions: z
    .array(
      z.looseObject({
        id: z.number(),
        question: z.string(),
        required: z.boolean().nullish(),
        hidden: z.boolean().nullish(),
        optionValues: z.array(z.looseObject({ value: z.string() })).nullish(),
      }),
    )
    .nullish(),
})
type Guestbook = z.infer<typeof guestbookSchema>

const signedSchema = z.looseObject({ signedUrl: z.url({ protocol: /^https?$/ }) })

/**
 * Opens a file, and answers the guestbook when the server requires it and an answer was given.
 * Without one the error says what is asked. A plain GET goes first: where no guestbook is required, and on servers before
 * 6.10, the POST would be refused. @see the protocol note §1.2
 */
export async function openAnswering(
  installation: Installation,
  request: FileRequest,
  handshake: Handshake,
  response: GuestbookResponse | undefined,
): Promise<Opened> {
  try {
    return await openFile(installation, request)
  } catch (error) {
    if (!(error instanceof DataferryError) || error.code !== 'SOURCE_GUESTBOOK') throw error
    if (response === undefined) throw await explained(installation, error, request.signal)
    if (handshake === 'direct') return openFile(installation, { ...request, ...answering(request, response) })
    const { route, signal } = request
    const ranged = request.from > 0 || request.to !== undefined
    const range = ranged ? `bytes=${request.from}-${request.to ?? ''}` : undefined
    const url = await signedUrl(installation, request, response)
    return openedFrom(installation, await installation.sendSigned(url, { route, range, signal }), request)
  }
}

/** Answers the guestbook. Resolves to a URL that anybody can open by GET within a minute: a secret. */
export async function signedUrl(
  installation: Installation,
  request: ApiRequest,
  response: GuestbookResponse,
): Promise<string> {
  const answer = await installation.send({ ...request, range: undefined, ...answering(request, response) })
  if (answer.status !== 200) throw await installation.failure(answer)
  const envelope = parseEnvelope((await answer.body.bytes(64 * 1024)).toString('utf8'))
  return checkData(envelope?.data, signedSchema, answer.host, answer.what).signedUrl
}

/** The request that carries the answers: in a list of ids' own body, else alone. */
function answering(request: ApiRequest, guestbookResponse: GuestbookResponse): Pick<ApiRequest, 'method' | 'body'> {
  const fileIds = request.body && /^fileIds=([\d,]+)$/.exec(request.body.text)?.[1]?.split(',').map(Number)
  return fileIds
    ? { method: 'POST', body: { text: JSON.stringify({ fileIds, guestbookResponse }), type: 'text/plain' } }
    : { method: 'POST', body: { text: JSON.stringify({ guestbookResponse }), type: 'application/json' } }
}

/** The error with the guestbook's questions in it, if the server tells them. */
export async function explained(
  installation: Installation,
  error: DataferryError,
  signal: AbortSignal | undefined,
): Promise<DataferryError> {
  const id = /guestbook ?id (\d+)/i.exec(error.message)?.[1]
  const questions = id === undefined ? undefined : await ask(installation, id, signal)
  const wanted = questions ?? 'give truthful answers as guestbookResponse'
  const details = { cause: error, ...(error.status === undefined ? {} : { status: error.status }) }
  return new DataferryError('SOURCE_GUESTBOOK', `${error.message} ${wanted}`, details)
}

/** What the guestbook asks; undefined when the server does not tell: then the caller gets the refusal itself. */
async function ask(
  installation: Installation,
  id: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const route = { path: `guestbooks/${id}`, query: [], what: `guestbook ${id}` }
  const answer = await installation.send({ route, signal }).catch(() => undefined)
  signal?.throwIfAborted()
  if (!answer) return undefined
  const envelope = parseEnvelope((await answer.body.beginning(1024 * 1024)).toString('utf8'))
  const guestbook = guestbookSchema.safeParse(envelope?.data)
  return guestbook.success ? `It asks for ${installation.redact(questionsOf(guestbook.data))}.` : undefined
}

function questionsOf(guestbook: Guestbook): string {
  const fields = (['name', 'email', 'institution', 'position'] as const).filter(
    (field) => guestbook[`${field}Required`],
  )
  const questions = (guestbook.customQuestions ?? [])
    .filter(({ hidden }) => !hidden)
    .map(({ id, question, required, optionValues }) => {
      const options = optionValues?.length ? `: ${optionValues.map(({ value }) => value).join(' | ')}` : ''
      return `answer ${id} "${question}"${options}${required ? '' : ' (optional)'}`
    })
  return [...fields, ...questions].join(', ') || 'a response, without any required entry'
}
