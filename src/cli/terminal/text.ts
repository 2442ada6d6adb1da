/**
 * Text for a terminal. Names come from strangers: a file may be called after an escape sequence that recolours the
 * screen, or hold marks that make `exe.txt` read as `txt.exe`. `safeText` is applied to all output.
 */

/** Controls (C0, DEL, C1), bidirectional marks, line separators, invisible fillers, tags, and halves of surrogate pairs. */
const HOSTILE =
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Surrogate}/gu

/** Makes what a terminal would act upon visible: ESC → `\x1b`, RIGHT-TO-LEFT OVERRIDE → `\u{202e}`. */
export function safeText(text: string): string {
  return text.replaceAll(HOSTILE, escaped)
}

/** The same for text of several lines: only the line ends stay. */
export function safeLines(text: string): string {
  return text.split('\n').map(safeText).join('\n')
}

/** Escapes inside JSON text, so that it stays the same JSON. */
export function safeJson(json: string): string {
  return json.replaceAll(HOSTILE, (character) =>
    Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join(''),
  )
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  if (character === '\n') return '\\n'
  if (character === '\t') return '\\t'
  return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
const EMOJI = /\p{Emoji_Presentation}|\ufe0f/u
/** East Asian Wide and Fullwidth, by block. @see Unicode Standard Annex 11 */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u

function graphemeWidth(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1
}

/** Columns that a text takes on a terminal. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment)
  return width
}

/** The longest beginning that fits, with `…` at its end when something was cut. */
export function truncate(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text
  return columns < 1 ? '' : `${head(text, columns - 1)}…`
}

/** Cuts a long path in the middle, as its first folder and its file name say most: `study-1/…/wave-04.csv`. */
export function shortenPath(path: string, columns: number): string {
  if (displayWidth(path) <= columns) return path
  if (columns < 5) return truncate(path, columns)
  const end = Math.ceil(((columns - 1) * 2) / 3)
  return `${head(path, columns - 1 - end)}…${tail(path, end)}`
}

/** Adds blanks up to a number of columns. */
export function pad(text: string, columns: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, columns - displayWidth(text)))
  return align === 'left' ? text + blanks : blanks + text
}

function head(text: string, columns: number): string {
  return fitting(
    [...graphemes.segment(text)].map(({ segment }) => segment),
    columns,
  ).join('')
}

function tail(text: string, columns: number): string {
  return fitting([...graphemes.segment(text)].map(({ segment }) => segment).reverse(), columns)
    .reverse()
    .join('')
}

function fitting(pieces: readonly string[], columns: number): string[] {
  let left = columns
  const cut = pieces.findIndex((piece) => (left -= graphemeWidth(piece)) < 0)
  return cut === -1 ? [...pieces] : pieces.slice(0, cut)
}
