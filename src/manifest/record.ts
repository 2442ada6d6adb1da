/** A record of CSV or TSV, split; `open` when it ends within quotes, so that the next line belongs to it too. */
export type Split =
  | { readonly state: 'whole'; readonly cells: readonly string[] }
  | { readonly state: 'open' }
  | { readonly state: 'broken'; readonly problem: string }

/**
 * Splits a record at its delimiter. A cell within quotes may hold delimiters, line ends, outer blanks and doubled quotes;
 * spaces around bare cells and around the quotes are ignored; a quote elsewhere is an ordinary character, as in `5" disk`.
 * @see RFC 4180 §2
 */
export function splitRecord(text: string, delimiter: string): Split {
  if (!text.includes('"')) return { state: 'whole', cells: text.split(delimiter).map((cell) => cell.trim()) }
  const cells: string[] = []
  let at = 0
  for (;;) {
    const quote = skipSpaces(text, at)
    const cell = text[quote] === '"' ? quotedCell(text, quote + 1) : bareCell(text, at, delimiter)
    if (!cell) return { state: 'open' }
    cells.push(cell.value)
    if (cell.end >= text.length) return { state: 'whole', cells }
    if (!text.startsWith(delimiter, cell.end)) {
      return { state: 'broken', problem: 'text follows a closing quote: double the quotes within a quoted cell' }
    }
    at = cell.end + delimiter.length
  }
}

/**
 * Whether a quote is open at the end of a line, so that the next one belongs to its record.
 * @param within whether one was open before it
 */
export function endsWithinQuotes(line: string, delimiter: string, within: boolean): boolean {
  let at = within ? 0 : openingQuote(line, 0, delimiter)
  while (at !== -1) {
    const quote = closingQuote(line, at)
    if (quote === -1) return true
    const end = skipSpaces(line, quote + 1)
    // At the end of the record, or where `splitRecord` finds it broken.
    if (!line.startsWith(delimiter, end)) return false
    at = openingQuote(line, end + delimiter.length, delimiter)
  }
  return false
}

/** Where the content of the next quoted cell begins; -1: there is none on this line. */
function openingQuote(line: string, from: number, delimiter: string): number {
  let at = from
  for (;;) {
    const quote = skipSpaces(line, at)
    if (line[quote] === '"') return quote + 1
    const next = line.indexOf(delimiter, at)
    if (next === -1) return -1
    at = next + delimiter.length
  }
}

/** Where the quote is that ends a cell; -1: not here. Doubled ones are part of the text. */
function closingQuote(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at !== -1; at = text.indexOf('"', at + 2)) {
    if (text[at + 1] !== '"') return at
  }
  return -1
}

interface Cell {
  readonly value: string
  /** Where the delimiter should stand. */
  readonly end: number
}

function bareCell(text: string, from: number, delimiter: string): Cell {
  const found = text.indexOf(delimiter, from)
  const end = found === -1 ? text.length : found
  return { value: text.slice(from, end).trim(), end }
}

function quotedCell(text: string, from: number): Cell | undefined {
  const quote = closingQuote(text, from)
  if (quote === -1) return undefined
  return { value: text.slice(from, quote).replaceAll('""', '"'), end: skipSpaces(text, quote + 1) }
}

function skipSpaces(text: string, from: number): number {
  let at = from
  while (text[at] === ' ') at += 1
  return at
}

/** Writes a record as `splitRecord` reads it, without line end. */
export function formatRecord(cells: readonly string[], delimiter = ','): string {
  return cells.map((cell) => formatCell(cell, delimiter)).join(delimiter)
}

function formatCell(cell: string, delimiter: string): string {
  const plain = cell !== '' && cell.trim() === cell && !/["\r\n]/.test(cell) && !cell.includes(delimiter)
  return plain ? cell : `"${cell.replaceAll('"', '""')}"`
}
