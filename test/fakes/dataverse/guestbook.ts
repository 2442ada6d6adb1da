import { z } from 'zod'
import { curates } from './access.ts'
import type { Context, GuestbookRecord, User, Visit } from './context.ts'
import type { DataFile } from './datafile.ts'
import { failure, Refusal, thrown } from './reply.ts'
import type { GuestbookSpec } from './specs.ts'
import type { Dataset } from './world.ts'

const RESPONSE_LIVES_MS = 60_000

const responseSchema = z.object({
  name: z.string().optional(),
  email: z.string().optional(),
  institution: z.string().optional(),
  position: z.string().optional(),
  answers: z.array(z.object({ id: z.number(), value: z.union([z.string(), z.array(z.string())]) })).optional(),
})
const bodySchema = z.looseObject({ guestbookResponse: responseSchema.optional() })
type Response = z.infer<typeof responseSchema>

/** The guestbook that this caller must answer before a download; 6.10+ (Access:2237-2268). */
export function demandedGuestbook(
  dataset: Dataset,
  user: User | undefined,
  context: Context,
): GuestbookSpec | undefined {
  const edits = curates(user, dataset) && !user?.preview
  return edits || dataset.guestbookAtRequest ? undefined : enabledGuestbook(dataset, context)
}

/** The guestbook that is asked at a download or with a request; 6.10+. */
export function enabledGuestbook(dataset: Dataset, context: Context): GuestbookSpec | undefined {
  const book = dataset.guestbook
  return context.features.strict && book && book.enabled !== false ? book : undefined
}

/** Lets a GET pass when no answer is needed or a fresh one is named by `gbrids`; else 400. */
export function requireGuestbook(visit: Visit, file: DataFile, context: Context): void {
  const book = demandedGuestbook(file.dataset, visit.user, context)
  const id = visit.call.query.get('gbrids')
  if (!context.features.strict || (!book && id === null)) return
  if (id !== null && (countsStill(visit, id, file.dataset, context) || !book)) return
  if (book) throw new Refusal(failure(400, missingResponse(book)))
}

export function missingResponse(book: GuestbookSpec): string {
  return `You may not download this file without the required Guestbook response for guestbookID ${book.id}.`
}

/** Whether a response is of this dataset, and not older than a minute. */
function countsStill(visit: Visit, id: string, dataset: Dataset, context: Context): boolean {
  if (!/^\d+$/.test(id)) throw new Refusal(failure(400, `Invalid gbrids ${id}`))
  const response = context.memory.responses.get(Number(id))
  if (!response) throw new Refusal(thrown(visit.call, 404))
  return response.dataset === dataset.id && context.clock() - response.at <= RESPONSE_LIVES_MS
}

/** A response as it came, and what it is for: files of one dataset. */
export interface Submitted {
  readonly body: string
  readonly files: readonly DataFile[]
  readonly event: GuestbookRecord['event']
}

/**
 * Checks what a POST answers, and stores one record for each file; that of a download counts as one.
 * @returns the id of the last record
 */
export function storeResponse({ body, files, event }: Submitted, what: string, visit: Visit, context: Context): number {
  const { user } = visit
  const trying = event === 'Download' ? 'trying download' : 'requesting access'
  const refuse = (reason: string): Refusal =>
    new Refusal(failure(400, `Problem ${trying} with guestbook response on ${what} : ${reason}`))
  const parsed = body.trimStart().startsWith('{') ? bodySchema.safeParse(parseJson(body)) : undefined
  if (!parsed?.success) throw refuse('Guestbook Response could not be read.')
  const [first] = files
  const book =
    first &&
    (event === 'Download' ? demandedGuestbook(first.dataset, user, context) : enabledGuestbook(first.dataset, context))
  const given = parsed.data.guestbookResponse
  if (book && given) {
    const missing = missingEntries(book, given, user)
    if (missing.length > 0) throw refuse(`Guestbook Response entry is required but not present (${missing.join(',')}).`)
    const wrong = wrongAnswer(book, given)
    if (wrong !== undefined) throw refuse(wrong)
  } else if (book) throw refuse('Guestbook Response entry is required but not present.')
  const { responses } = context.memory
  for (const file of files) {
    const record = {
      guestbook: book?.id,
      dataset: file.dataset.id,
      file: file.id,
      user: user?.name,
      event,
      response: given,
    }
    const id = 90 + responses.size
    responses.set(id, { id, ...record, at: context.clock() })
    if (event === 'Download' && file.released) visit.count(file.id)
  }
  return 89 + responses.size
}

function missingEntries(book: GuestbookSpec, given: Response, user: User | undefined): string[] {
  const required: [boolean | undefined, string, string | undefined][] = [
    [book.nameRequired, 'Name', given.name ?? user?.name],
    [book.emailRequired, 'Email', given.email ?? (user && `${user.name.slice(1)}@example.org`)],
    [book.institutionRequired, 'Institution', given.institution],
    [book.positionRequired, 'Position', given.position],
  ]
  return required.filter(([needed, , value]) => needed === true && !value).map(([, name]) => name)
}

function wrongAnswer(book: GuestbookSpec, given: Response): string | undefined {
  const answers = given.answers ?? []
  const questions = book.customQuestions ?? []
  for (const answer of answers) {
    const question = questions.find(({ id }) => id === answer.id)
    if (!question) return `Guestbook Custom Question ID ${answer.id} not found.`
    if (question.options && !(typeof answer.value === 'string' && question.options.includes(answer.value)))
      return `Guestbook Custom Question Answer not an option (${String(answer.value)}).`
  }
  const open = questions.filter(({ id, required }) => required && !answers.some((answer) => answer.id === id))
  return open.length === 0
    ? undefined
    : `Guestbook Custom Question Answer is required but not present (${open.map(({ question }) => question).join(',')}).`
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A guestbook as `GET /api/guestbooks/{id}` shows it. */
export function guestbookJson(book: GuestbookSpec): unknown {
  return {
    id: book.id,
    name: book.name ?? 'Guestbook',
    enabled: book.enabled ?? true,
    emailRequired: book.emailRequired ?? false,
    nameRequired: book.nameRequired ?? false,
    institutionRequired: book.institutionRequired ?? false,
    positionRequired: book.positionRequired ?? false,
    customQuestions: (book.customQuestions ?? []).map((question, index) => ({
      id: question.id,
      question: question.question,
      required: question.required ?? false,
      displayOrder: index,
      type: question.options ? 'options' : (question.type ?? 'text'),
      hidden: false,
      ...(question.options && {
        optionValues: question.options.map((value, order) => ({
          id: question.id * 10 + order,
          value,
          displayOrder: order,
        })),
      }),
    })),
    createTime: '2025-01-01T00:00:00Z',
    dataverseId: 1,
  }
}
