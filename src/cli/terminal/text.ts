import stringWidth from 'string-width'
import wrapAnsi from 'wrap-ansi'

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** The width of a text on a terminal, in columns. */
export function displayWidth(text: string): number {
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text)
}

/**
 * Breaks lines between words so that they fit; a word that is too long, such as a path or an address, stays whole. What
 * follows in a broken line stands below its first word.
 */
export function wrap(text: string, columns: number): string {
  return text
    .split('\n')
    .map((line) => wrapLine(line, columns))
    .join('\n')
}

function wrapLine(line: string, columns: number): string {
  if (displayWidth(line) <= columns) return line
  const start = /^ *(?:! )?/.exec(line)?.[0] ?? ''
  const room = Math.max(1, columns - start.length)
  return (
    start + wrapAnsi(line.slice(start.length), room, { hard: false }).replaceAll('\n', `\n${' '.repeat(start.length)}`)
  )
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
  return fitting(pieces(text), columns).join('')
}

function tail(text: string, columns: number): string {
  return fitting(pieces(text).reverse(), columns).reverse().join('')
}

function pieces(text: string): string[] {
  return Array.from(graphemes.segment(text), ({ segment }) => segment)
}

function fitting(pieces: readonly string[], columns: number): string[] {
  let left = columns
  const cut = pieces.findIndex((piece) => (left -= displayWidth(piece)) < 0)
  return cut === -1 ? [...pieces] : pieces.slice(0, cut)
}
