import { inspect } from 'node:util'
import { z } from 'zod'
import { normalServer } from '../config/setting-values.ts'
import type { PersonEntry, Question } from '../model/guestbook.ts'

const text = z.union([z.string(), z.number(), z.boolean()], { error: 'expected text' }).transform(String)
const oneOrMore = z.union([text, z.array(text)], { error: 'expected text, or a list of lines' }).nullish()
const person = { name: text.nullish(), email: text.nullish(), institution: text.nullish(), position: text.nullish() }
const listedAnswer = z
  .strictObject({ id: z.int().optional(), question: z.string().optional(), value: oneOrMore })
  .refine(({ id, question }) => id !== undefined || question !== undefined, 'expected the question’s id or its text')
const answers = z
  .union([z.array(listedAnswer), z.record(z.string(), oneOrMore)], { error: 'expected answers by question' })
  .transform((given) =>
    Array.isArray(given) ? given : Object.entries(given).map(([key, value]) => ({ ...keyed(key), value })),
  )
  .nullish()
const forGuestbook = z.strictObject({ ...person, answers })
const guestbooks = z
  .record(z.string().regex(/^\d+$/), forGuestbook, { error: 'expected answers by the number of a guestbook' })
  .nullish()
const forServer = z.strictObject({ ...person, answers, guestbooks })
const serverUrl = z.string().refine((url) => normalServer(url) !== undefined)
/** The content of an answer file. Empty values stand for what is not answered. */
export const answersSchema = z.strictObject({
  ...person,
  answers,
  guestbooks,
  servers: z.record(serverUrl, forServer, { error: 'expected answers by the URL of an installation' }).nullish(),
})
type AnswerFile = z.infer<typeof answersSchema>
type Layer = z.infer<typeof forGuestbook>
type ListedAnswer = NonNullable<Layer['answers']>[number]

/** A number names a question by its id, anything else by its text. */
function keyed(key: string): { readonly id?: number; readonly question?: string } {
  return /^\d+$/.test(key) ? { id: Number(key) } : { question: key }
}

/** What a file says in answer to one question. */
export interface Said {
  readonly value: string | readonly string[]
  /** The text that the file has for this id, where it has one. */
  readonly question: string | undefined
}

/**
 * What a person wrote down to be sent to guestbooks. The most specific place counts: this guestbook on this server, this
 * server, then what is said for all. Printing, inspecting or serialising it shows nothing of it.
 */
export class Answers {
  readonly #file: AnswerFile
  readonly #servers: ReadonlyMap<string, z.infer<typeof forServer>>

  constructor(file: AnswerFile) {
    this.#file = file
    const servers = Object.entries(file.servers ?? {})
    this.#servers = new Map(servers.map(([url, said]) => [normalServer(url) ?? url, said]))
  }

  /** Whether it names questions or guestbooks by numbers without saying on which server: they mean others elsewhere. */
  get hasNumbersForAll(): boolean {
    const { guestbooks: numbered, answers: listed } = this.#file
    return Object.keys(numbered ?? {}).length > 0 || (listed ?? []).some(({ id }) => id !== undefined)
  }

  person(entry: PersonEntry, server: string, guestbook: number): string | undefined {
    return first(this.#layers(server, guestbook), (layer) => filled(layer[entry]))
  }

  answer({ id, question }: Question, server: string, guestbook: number): Said | undefined {
    return first(this.#layers(server, guestbook), (layer) => {
      const found =
        layer.answers?.find((one) => one.id === id) ??
        layer.answers?.find((one) => one.id === undefined && sameText(one.question, question))
      const value = filledLines(found?.value)
      return value === undefined ? undefined : { value, question: found?.question }
    })
  }

  /** Questions that the file answers for this very guestbook. */
  own(server: string, guestbook: number): readonly ListedAnswer[] {
    const [one, two] = this.#layers(server, guestbook)
    return [...(one?.answers ?? []), ...(two?.answers ?? [])].filter(({ value }) => filledLines(value) !== undefined)
  }

  /** The most specific one first. */
  #layers(server: string, guestbook: number): readonly (Layer | undefined)[] {
    const ofServer = this.#servers.get(normalServer(server) ?? server)
    return [ofServer?.guestbooks?.[guestbook], this.#file.guestbooks?.[guestbook], ofServer, this.#file]
  }

  toJSON(): string {
    return '[hidden]'
  }

  [inspect.custom](): string {
    return '[hidden]'
  }
}

/** Whether two spellings are of one question: case and spacing do not count. */
export function sameText(one: string | undefined, other: string): boolean {
  return one !== undefined && folded(one) === folded(other)
}

function folded(words: string): string {
  return words.normalize('NFC').trim().replaceAll(/\s+/g, ' ').toLowerCase()
}

function first<T>(layers: readonly (Layer | undefined)[], find: (layer: Layer) => T | undefined): T | undefined {
  for (const layer of layers) {
    const found = layer && find(layer)
    if (found !== undefined) return found
  }
  return undefined
}

function filled(said: string | null | undefined): string | undefined {
  const trimmed = said?.trim()
  return trimmed === '' ? undefined : trimmed
}

function filledLines(value: ListedAnswer['value']): string | readonly string[] | undefined {
  if (typeof value === 'string') return filled(value)
  return value?.some((line) => filled(line) !== undefined) ? value : undefined
}
