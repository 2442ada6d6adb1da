import type { AnyForm, ByteRange, DownloadFormat } from '../dataverse/download-options.ts'
import { DataferryError } from '../errors.ts'
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
