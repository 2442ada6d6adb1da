import { DataferryError } from '../errors.ts'
import type { GuestbookResponse, Respond } from '../model/guestbook.ts'
import { UNCOUNTED } from './open.ts'
import type { Query } from './route.ts'

/**
 * Forms of a tabular file: the `original` upload, tab-delimited (`tab`, or `tabular` as pyDataverse's manual says), an
 * `RData` frame, or the `prep`rocessed summary. A file that is not tabular comes as it is with `original`, and is not
 * found with the others.
 */
export type DownloadFormat = 'original' | 'tab' | 'tabular' | 'RData' | 'prep'

/** The ways to ask for another form of a file, see `AnyForm`. */
export interface FormOptions {
  /** One of the forms of a tabular file. */
  readonly format?: DownloadFormat | undefined
  /** Only these columns of a tabular file: ids of variables, such as `12` or `v12`. `ARGUMENT_INVALID` for ids it does not have. */
  readonly variables?: readonly (number | string)[] | undefined
  /** Tab-delimited without the header line. Tabular files only, and only those stored without that line. */
  readonly noVarHeader?: boolean | undefined
  /** A PNG thumbnail instead of the file: 64 pixels, or as many as given. */
  readonly imageThumb?: boolean | number | undefined
}

/** @inline */
type OneForm = {
  [K in keyof FormOptions]: Pick<FormOptions, K> & { readonly [Other in Exclude<keyof FormOptions, K>]?: undefined }
}[keyof FormOptions]
/** Only one of the ways to request another form of the file: the server would apply only one of several. */
// `NonNullable`, since a mapped type over optional members yields `undefined` as well.
export type AnyForm = NonNullable<OneForm>

/** Options of every download. */
export interface TransferOptions {
  /** False keeps this download out of the server's statistics. Default true. */
  readonly countDownload?: boolean | undefined
  /** Sent only if the dataset's guestbook must be answered first; a function is told what that guestbook asks. */
  readonly guestbookResponse?: GuestbookResponse | Respond | undefined
  /** Cancels the request and the transfer. */
  readonly signal?: AbortSignal | undefined
}

/** Part of a file: offsets from 0, `end` inclusive and by default the last byte. */
export interface ByteRange {
  readonly start: number
  readonly end?: number | undefined
}

/** Options for one file: at most one of `format`, `variables`, `noVarHeader` and `imageThumb`. */
export type DatafileOptions = TransferOptions & AnyForm
/** As `DatafileOptions`, and a range. */
export type StreamDatafileOptions = DatafileOptions & { readonly range?: ByteRange | undefined }

/** Options for downloads as ZIP. */
export interface ZipOptions extends TransferOptions {
  /** Tabular files as uploaded, instead of tab-delimited. */
  readonly format?: 'original' | undefined
}

const FORMATS: Readonly<Record<string, string>> = {
  original: 'original',
  tab: 'tab',
  tabular: 'tab',
  RData: 'RData',
  prep: 'prep',
}
/** Other things called a format elsewhere, and what to use here. */
const NO_FORMATS: Readonly<Record<string, string>> = {
  bundle: 'use getDatafileBundle',
  subset: 'give `variables` alone',
  GlobusTransfer: 'it starts a Globus transfer in a browser and returns no bytes',
  archival: 'use tab',
}

/** The query for a form of a file. Rejects with `ARGUMENT_INVALID` what the server would misread. */
export function formQuery({ format, variables, noVarHeader, imageThumb }: FormOptions): Query {
  const given: Query = [
    ...(format === undefined ? [] : [['format', checkFormat(format)] as const]),
    ...(variables === undefined ? [] : [['variables', checkVariables(variables)] as const]),
    ...(noVarHeader ? [['noVarHeader', 'true'] as const] : []),
    ...(imageThumb === undefined || imageThumb === false ? [] : [['imageThumb', checkThumb(imageThumb)] as const]),
  ]
  if (given.length < 2) return given
  const names = given.map(([name]) => name).join(' and ')
  throw new DataferryError('ARGUMENT_INVALID', `The server applies only one of ${names}: give only one.`)
}

/** The query of a ZIP. */
export function zipQuery({ format }: { readonly format?: string | undefined }): Query {
  if (format === undefined) return []
  if (format === 'original') return [['format', 'original']]
  throw new DataferryError('ARGUMENT_INVALID', `The format of a ZIP can only be original, not ${format}.`)
}

/** The query that decides whether the server counts the download. */
export function countQuery({ countDownload }: TransferOptions): Query {
  return countDownload === false ? [UNCOUNTED] : []
}

/** Checks a range. @returns the request's `from` and `to`. */
export function checkRange(range: ByteRange | undefined): { readonly from: number; readonly to: number | undefined } {
  if (range === undefined) return { from: 0, to: undefined }
  const { start, end } = range
  const sound = isOffset(start) && (end === undefined || (isOffset(end) && end >= start))
  if (sound) return { from: start, to: end }
  throw new DataferryError(
    'ARGUMENT_INVALID',
    'A range needs a start of at least 0 and, if it has an end, one not before the start.',
  )
}

function isOffset(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function checkFormat(format: string): string {
  const known = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
  if (known !== undefined) return known
  const why = Object.hasOwn(NO_FORMATS, format) ? NO_FORMATS[format] : undefined
  const hint = why === undefined ? 'use original, tab, RData or prep' : why
  throw new DataferryError('ARGUMENT_INVALID', `"${format}" is not a format of a file: ${hint}.`)
}

function checkVariables(variables: readonly (number | string)[]): string {
  if (variables.length > 0 && variables.every((variable) => /^v?\d+$/.test(String(variable))))
    return variables.join(',')
  throw new DataferryError('ARGUMENT_INVALID', 'variables must list ids of variables, such as 12 or v12.')
}

function checkThumb(pixels: boolean | number): string {
  if (pixels === true || (Number.isSafeInteger(pixels) && Number(pixels) > 0)) return String(pixels)
  throw new DataferryError('ARGUMENT_INVALID', 'imageThumb must be true or a number of pixels.')
}
