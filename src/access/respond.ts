import { PERSON, type Guestbook, type GuestbookResponse, type PersonEntry, type Question } from '../model/guestbook.ts'
import { sameText, type Answers } from './answers.ts'

/** What the server itself knows of the person: nothing of a guest; of the user of a token perhaps everything. */
export type Account = 'guest' | 'user' | Readonly<Partial<Record<PersonEntry, string | undefined>>>

/** An entry of a guestbook that is not answered, or not as it must be. */
export interface Lack {
  /** `email`, or the text of the question. */
  readonly entry: string
  /** Of the question. */
  readonly id?: number
  /** Completes the sentence "the entry …": `is required`. */
  readonly problem: string
}

export interface Responded {
  readonly response: GuestbookResponse
  /** Empty: the server will accept the response. */
  readonly lacks: readonly Lack[]
}

/** Puts the response to a guestbook together from what the person wrote down; nothing is invented. */
export function respond(
  answers: Answers | undefined,
  guestbook: Guestbook,
  server: string,
  account: Account = 'guest',
): Responded {
  const lacks: Lack[] = []
  const person: Partial<Record<PersonEntry, string>> = {}
  for (const entry of PERSON) {
    const said = answers?.person(entry, server, guestbook.id)
    if (said !== undefined) person[entry] = said
    const problem = personProblem(entry, said, guestbook, account)
    if (problem !== undefined) lacks.push({ entry, problem })
  }
  const given: { id: number; value: string | readonly string[] }[] = []
  for (const question of guestbook.questions) {
    const said = answers?.answer(question, server, guestbook.id)
    const problem = said ? answerProblem(question, said) : question.required ? required(question) : undefined
    if (problem !== undefined) lacks.push({ entry: question.question, id: question.id, problem })
    else if (said) given.push({ id: question.id, value: said.value })
  }
  for (const { id, question } of answers?.own(server, guestbook.id) ?? []) {
    const known = guestbook.questions.some((one) =>
      id === undefined ? sameText(question, one.question) : one.id === id,
    )
    if (known) continue
    lacks.push({ entry: question ?? String(id), ...(id !== undefined && { id }), problem: 'is not asked there' })
  }
  return { response: { ...person, ...(given.length > 0 && { answers: given }) }, lacks }
}

function personProblem(
  entry: PersonEntry,
  said: string | undefined,
  { required: wanted }: Guestbook,
  account: Account,
): string | undefined {
  if (said !== undefined) return entry === 'email' && !isEmail(said) ? 'is not an e-mail address' : undefined
  if (!wanted.includes(entry) || account === 'user') return undefined
  return account !== 'guest' && account[entry] ? undefined : 'is required'
}

function required({ options }: Question): string {
  return options.length === 0 ? 'is required' : `is required: ${options.join(' | ')}`
}

function answerProblem(
  { options, question }: Question,
  said: { readonly value: string | readonly string[]; readonly question: string | undefined },
): string | undefined {
  if (said.question !== undefined && !sameText(said.question, question)) return 'is another question now'
  if (options.length === 0) return undefined
  const isOption = typeof said.value === 'string' && options.includes(said.value)
  return isOption ? undefined : `must be one of: ${options.join(' | ')}`
}

/** Strict enough to catch a slip. */
function isEmail(text: string): boolean {
  return /^[^\s@]+@[^\s@.]+(?:\.[^\s@.]+)+$/.test(text)
}

/** One sentence part for each: `email is required, "Use?" must be one of: Teaching | Research`. */
export function lackText(lacks: readonly Lack[]): string {
  return lacks.map(({ entry, id, problem }) => `${id === undefined ? entry : `"${entry}"`} ${problem}`).join(', ')
}
