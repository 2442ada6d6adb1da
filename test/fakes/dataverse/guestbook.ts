import { z } from 'zod'
import { curates } from './access.ts'
import type { Context, User, Visit } from './context.ts'
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
  const book = dataset.guestbook
  const edits = curates(user, dataset) && !user?.preview
  const applies = context.features.strict && book && book.enabled !== false && !edits
  return applies ? book : undefined
}

/** Lets a GET pass when no answer is needed or a fresh one is named by `gbrids`; else 400. */
export function requireGuestbook(visit: Visit, file: DataFile, context: Context): void {
  const book = demandedGuestbook(file.dataset, visit.user, context)
  const id = visit.call.query.get('gbrids')
  if (!context.features.strict || (!book && id === null)) return
  if (id !== null) checkResponse(visit, id, context)
  else if (book) throw new Refusal(failure(400, missingResponse(book)))
}

export function missingResponse(book: GuestbookSpec): string {
  return `You may not download this file without the required Guestbook response for guestbookID ${book.id}.`
}

function checkResponse(visit: Visit, id: string, context: Context): void {
  if (!/^\d+$/.test(id)) throw new Refusal(failure(400, `Invalid gbrids ${id}`))
  const response = context.memory.responses.get(Number(id))
  if (!response) throw new Refusal(thrown(visit.call, 404))
  if (context.clock() - response.at > RESPONSE_LIVES_MS)
    throw new Refusal(failure(400, 'The Guestbook response is too old.'))
}

/** Reads the answers of a POST, checks them, and stores them. @returns the id of the new record. */
export async function takeResponse(visit: Visit, what: string, dataset: Dataset, context: Context): Promise<number> {
  return storeResponse(await visit.call.body(), what, dataset, visit.user, context)
}

export function storeResponse(
  body: string,
  what: string,
  dataset: Dataset,
  user: User | undefined,
  context: Context,
): number {
  const refuse = (reason: string): Refusal =>
    new Refusal(failure(400, `Problem trying download with guestbook response on ${what} : ${reason}`))
  const parsed = body.trimStart().startsWith('{') ? bodySchema.safeParse(parseJson(body)) : undefined
  if (!parsed?.success) throw refuse('Guestbook Response could not be read.')
  const book = demandedGuestbook(dataset, user, context)
  const given = parsed.data.guestbookResponse
  if (book && given) {
    const missing = missingEntries(book, given, user)
    if (missing.length > 0) throw refuse(`Guestbook Response entry is required but not present (${missing.join(',')}).`)
    const wrong = wrongAnswer(book, given)
    if (wrong !== undefined) throw refuse(wrong)
  } else if (book) throw refuse('Guestbook Response entry is required but not present.')
  const id = 90 + context.memory.responses.size
  context.memory.responses.set(id, { guestbook: book?.id, at: context.clock() })
  return id
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
