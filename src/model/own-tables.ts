/**
 * The tables that dataferry writes and reads as manifests: `failures.csv`, what `verify --wanted` writes, and `left-out.csv`.
 * Their cells hold names that strangers chose, and people open them in spreadsheets, which run a cell that begins like a
 * formula. Such a cell gets a `'` in front, which the reader of these tables removes again.
 */

/** For items to fetch again. */
export const WANTED_COLUMNS = [
  'server',
  'kind',
  'id',
  'dataset',
  'version',
  'path',
  'format',
  'size',
  'checksum',
  'code',
  'message',
] as const

/** For files that archives lack. */
export const LEFT_OUT_COLUMNS = [
  'server',
  'kind',
  'id',
  'path',
  'format',
  'archive',
  'name on the server',
  'reason',
  'certain',
] as const

/** Whether a first row is that of one of these tables. */
export function isOwnTable(header: readonly string[]): boolean {
  return [WANTED_COLUMNS, LEFT_OUT_COLUMNS].some(
    (columns) => columns.length === header.length && columns.every((name, at) => name === header[at]),
  )
}

/** A cell that no spreadsheet runs: `=1+1` → `'=1+1`, and `'=1` → `''=1`, so that `plainCell` knows both again. */
export function inertCell(text: string): string {
  return /^'*[=+\-@\t\r]/.test(text) ? `'${text}` : text
}

/** The text that `inertCell` was given. */
export function plainCell(cell: string): string {
  return /^'+[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell
}
