import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { AnyForm, ByteRange, DownloadFormat } from '../dataverse/download-options.ts'
import type { GuestbookResponse } from '../dataverse/guestbook.ts'
import { DataferryError, messageOf } from '../errors.ts'
import type { Given } from './command.ts'

/** Reads `FORM_FLAGS`; undefined: the file as it is. Throws `ARGUMENT_INVALID` when more than one is given. */
export function readForm({ has, text }: Given): AnyForm | undefined {
  const format = text('format')
  const variables = text('variables')
  const pixels = text('image-thumb')
  const forms: AnyForm[] = [
    ...(format === undefined ? [] : [{ format: readFormat(format) }]),
    ...(variables === undefined ? [] : [{ variables: variables.split(',').map((one) => one.trim()) }]),
    ...(has('no-var-header') ? [{ noVarHeader: true }] : []),
    ...(has('image-thumb') ? [{ imageThumb: true }] : []),
    ...(pixels === undefined ? [] : [{ imageThumb: Number(pixels) }]),
  ]
  if (forms.length < 2) return forms[0]
  throw new DataferryError(
    'ARGUMENT_INVALID',
    'The server applies only one of --format, --variables, --no-var-header and --image-thumb: give only one.',
  )
}

const FORMATS: readonly DownloadFormat[] = ['original', 'tab', 'tabular', 'RData', 'prep']

function readFormat(text: string): DownloadFormat {
  const format = FORMATS.find((one) => one.toLowerCase() === text.toLowerCase())
  if (format !== undefined) return format
  if (text.toLowerCase() === 'archival') return 'tab'
  throw new DataferryError('ARGUMENT_INVALID', `--format: expected original, tab, RData or prep, not ${text}.`)
}

/** Reads `0-499`, or `500-` for the rest of the file. Throws `ARGUMENT_INVALID`. */
export function readRange(text: string | undefined): ByteRange | undefined {
  if (text === undefined) return undefined
  const match = /^(\d+)-(\d*)$/.exec(text)
  if (!match) throw new DataferryError('ARGUMENT_INVALID', `--range: expected e.g. 0-499 or 500-, not ${text}.`)
  return { start: Number(match[1]), ...(match[2] !== '' && { end: Number(match[2]) }) }
}

const guestbookSchema = z.strictObject({
  name: z.string().optional(),
  email: z.string().optional(),
  institution: z.string().optional(),
  position: z.string().optional(),
  answers: z.array(z.strictObject({ id: z.number(), value: z.union([z.string(), z.array(z.string())]) })).optional(),
})

/** The server accepts the answers in a wrapper, which is what its guides show. */
function unwrapped(value: unknown): unknown {
  const wrapper = z.strictObject({ guestbookResponse: z.unknown() }).safeParse(value)
  return wrapper.success ? wrapper.data.guestbookResponse : value
}

/** Reads the file of `--guestbook`, with or without the server's wrapper. Throws `ARGUMENT_INVALID` with what is wrong in it. */
export async function readGuestbook({ text }: Given): Promise<GuestbookResponse | undefined> {
  const path = text('guestbook')
  if (path === undefined) return undefined
  try {
    return guestbookSchema.parse(unwrapped(JSON.parse(await readFile(path, 'utf8'))))
  } catch (error) {
    const issue = error instanceof z.ZodError ? error.issues[0] : undefined
    const problem = issue ? `${issue.path.join('.') || 'the whole file'}: ${issue.message}` : messageOf(error)
    const example = '{"name": "A", "email": "a@example.org", "answers": [{"id": 31, "value": "Teaching"}]}'
    throw new DataferryError('ARGUMENT_INVALID', `--guestbook: ${path}: ${problem}. Expected e.g. ${example}`, {
      cause: error,
    })
  }
}
