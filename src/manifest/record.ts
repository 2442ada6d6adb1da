/** A record of CSV or TSV, split; `open` when it ends within quotes, so that the next line belongs to it too. */
export type Split =
  | { readonly state: 'whole'; readonly cells: readonly string[] }
  | { readonly state: 'open' }
  | { readonly state: 'broken'; readonly problem: string }

/**
 * Splits a record at its delimiter. A cell within quotes may hold delimiters, line ends, outer blanks and doubled quotes;
 * around bare cells and around the quotes blanks do not count; a quote elsewhere is an ordinary character, as in `5" disk`.
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
  let value = ''
  let at = from
  for (;;) {
    const quote = text.indexOf('"', at)
    if (quote === -1) return undefined
    value += text.slice(at, quote)
    if (text[quote + 1] !== '"') return { value, end: skipSpaces(text, quote + 1) }
    value += '"'
    at = quote + 2
  }
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
