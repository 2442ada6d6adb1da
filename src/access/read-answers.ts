import { open } from 'node:fs/promises'
import type { Document, LineCounter } from 'yaml'
import { z } from 'zod'
import { DataferryError, messageOf } from '../errors.ts'
import { Answers, answersSchema } from './answers.ts'

/** Longest answer file, in bytes. */
const MOST_BYTES = 1 << 20
/** More are not written by hand. */
const MOST_ALIASES = 20

const ADVICE =
  'It is YAML or JSON: name, email, institution, position and answers; `dataferry guestbook show` prints one to fill in.'

/**
 * Reads a file of answers to guestbooks: YAML or JSON, with or without the server's own wrapper `guestbookResponse`.
 * Rejects with `CONFIG_INVALID` that names the place of what cannot be used, and never quotes it.
 * @param servers that may be contacted: with several, numbers of questions must be said for one of them
 * @param name for messages: the flag, variable or key that named the file
 */
export async function readAnswers(path: string, servers: readonly string[], name: string): Promise<Answers> {
  try {
    const text = await readBounded(path)
    // Only who has a file of answers needs it.
    const { LineCounter: Lines, parseDocument } = await import('./yaml.ts')
    const lines = new Lines()
    // Pretty messages quote the line.
    const answers = checked(parseDocument(text, { lineCounter: lines, prettyErrors: false }), lines)
    if (servers.length < 2 || !answers.hasNumbersForAll) return answers
  } catch (error) {
    throw new DataferryError('CONFIG_INVALID', `${name}: ${path}: ${messageOf(error)}.`, {
      advice: ADVICE,
      cause: error,
    })
  }
  const message =
    `${name}: ${path}: questions and guestbooks have other numbers on each of ${servers.join(', ')}: ` +
    'move what names them by number under "servers:" and the URL of the one that it is for.'
  throw new DataferryError('CONFIG_INVALID', message, { advice: ADVICE })
}

/** Throws an error whose message has a line, a place and a problem. */
function checked(document: Document, lines: LineCounter): Answers {
  const [fault] = document.errors
  // What follows a colon may be a piece of the text.
  if (fault) throw new Error(`line ${lines.linePos(fault.pos[0]).line}: ${fault.message.split(':')[0] ?? ''}`)
  const content: unknown = document.toJS({ maxAliasCount: MOST_ALIASES })
  const wrapper = z.strictObject({ guestbookResponse: z.unknown() }).safeParse(content)
  const [root, inner] = wrapper.success ? [['guestbookResponse'], wrapper.data.guestbookResponse] : [[], content]
  const parsed = answersSchema.safeParse(inner ?? {})
  if (parsed.success) return new Answers(parsed.data)
  const [issue] = parsed.error.issues
  const line = lineOf(document, [...root, ...(issue?.path ?? [])], lines)
  throw new Error(`${line === undefined ? '' : `line ${line}: `}${problemOf(issue)}`)
}

/** The line of the innermost thing on a path that is there. */
function lineOf(document: Document, path: readonly PropertyKey[], lines: LineCounter): number | undefined {
  for (let depth = path.length; depth > 0; depth--) {
    const node: unknown = document.getIn(path.slice(0, depth), true)
    const range: unknown = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
    if (Array.isArray(range) && typeof range[0] === 'number') return lines.linePos(range[0]).line
  }
  return undefined
}

function problemOf(issue: z.core.$ZodIssue | undefined): string {
  const place = issue?.path.join('.') ?? ''
  const told = issue?.code === 'unrecognized_keys' ? `there is no entry ${issue.keys.join(', ')}` : issue?.message
  return `${place === '' ? '' : `${place}: `}${told ?? 'not understood'}`
}

/** The text of a file. A pipe, such as that of `<(…)`, gives less at a time than it is asked for. */
async function readBounded(path: string): Promise<string> {
  const file = await open(path)
  try {
    const bytes = Buffer.alloc(MOST_BYTES + 1)
    let length = 0
    for (let more = -1; more !== 0 && length < bytes.length; length += more) {
      more = (await file.read(bytes, length, bytes.length - length)).bytesRead
    }
    if (length > MOST_BYTES) throw new Error(`longer than ${MOST_BYTES} bytes`)
    return bytes.toString('utf8', 0, length).replace(/^\uFEFF/, '')
  } finally {
    await file.close()
  }
}
