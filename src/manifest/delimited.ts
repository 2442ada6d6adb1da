import type { Entry, ManifestLine } from '../model/entry.ts'
import { isOwnTable, plainCell } from '../model/own-tables.ts'
import { attempt, badLine, lineError } from './bad-line.ts'
import { cellOf, NAMING, roleOf, type Role } from './columns.ts'
import type { Line } from './lines.ts'
import type { Reading } from './reading.ts'
import { RecordReader, type TableRecord } from './records.ts'
import { looksLikeReference } from './reference.ts'
import { readRow } from './row.ts'

/**
 * Reads CSV or TSV. The first row is a header, names in any case and order; without one, when it begins with an id, PID or
 * URL itself, only the first column counts. Rows below a header that names nothing to fetch are not read.
 * @param delimiter undefined: whichever of `,` `;` and tab splits the first row into the most cells
 */
export async function* readDelimited(
  lines: AsyncIterable<readonly Line[]>,
  reading: Reading,
  delimiter?: string,
): AsyncIterable<readonly ManifestLine[]> {
  let table: Table | undefined
  let named = delimiter
  for await (const batch of lines) {
    const found: ManifestLine[] = []
    for (const line of batch) {
      const separator = table ? undefined : delimiterLine(line.text)
      if (separator !== undefined) named = separator
      table ??=
        separator !== undefined || isIdle(line) ? undefined : new Table(named ?? delimiterOf(line.text), reading)
      if (table && !table.hopeless) table.push(line, found)
    }
    yield found
    if (table?.hopeless) return
  }
  if (table) yield table.finish()
}

const NAMELESS = 'no column says what to fetch: name one id, persistentId, url or dataset'

/** No header has been read yet. */
function isIdle({ text, problem }: Line): boolean {
  return problem === undefined && (text.trim() === '' || text.startsWith('#'))
}

/** The delimiter that a first line `sep=;` names, as Excel writes it; undefined for any other line. */
export function delimiterLine(text: string): string | undefined {
  return /^"?sep=([^\w\s"]|\t)"?$/i.exec(text.slice(0, 8))?.[1]
}

/** The delimiter of a CSV file by its first row: some countries' spreadsheets write semicolons. */
function delimiterOf(first: string): string {
  const count = (delimiter: string): number => first.split(delimiter).length
  return [',', ';', '\t'].reduce((best, other) => (count(other) > count(best) ? other : best))
}

class Table {
  readonly #reading: Reading
  readonly #records: RecordReader
  #roles: Roles | undefined
  /** There is no header. */
  #headless = false
  /** One of our own tables, whose cells may carry a protective `'`. */
  #own = false
  /** The header names nothing to fetch. */
  hopeless = false

  constructor(delimiter: string, reading: Reading) {
    this.#reading = reading
    this.#records = new RecordReader(delimiter)
  }

  /** Takes the next line, and adds the results of its record to `found`. */
  push(line: Line, found: ManifestLine[]): void {
    for (const record of this.#records.push(line)) this.#read(record, found)
  }

  finish(): readonly ManifestLine[] {
    const found: ManifestLine[] = []
    for (const record of this.#records.finish()) this.#read(record, found)
    return found
  }

  #read({ line, cells, problem }: TableRecord, found: ManifestLine[]): void {
    if (this.hopeless) return
    if (problem !== undefined) {
      found.push(lineError(this.#reading, line, problem))
      return
    }
    const read = attempt(this.#reading, line, () => {
      if (this.#roles) return this.#row(cells, this.#roles)
      // Until the header has been understood.
      this.hopeless = true
      this.#roles = this.#header(line, cells)
      this.hopeless = false
      return this.#headless ? this.#row(cells, this.#roles) : undefined
    })
    if (read) found.push(read)
  }

  /** The roles of the columns by the first row. Throws a bad line when it cannot be used. */
  #header(line: number, cells: readonly string[]): Roles {
    const { name, notice, columns } = this.#reading
    if (looksLikeReference(cells[0] ?? '')) {
      this.#headless = true
      if (cells.length > 1) notice(`${name}: line ${line} is not a header, so only the first column is read`)
      return ['id']
    }
    const roles = cells.map(roleOf)
    this.#own = isOwnTable(cells)
    if (this.#own) return roles
    for (const [at, cell] of cells.entries()) if (!roles[at]) columns.check(cell)
    if (!roles.some((role) => role !== undefined && NAMING.includes(role))) throw badLine(NAMELESS)
    return roles
  }

  #row(cells: readonly string[], roles: Roles): Entry | undefined {
    if (isComment(cells, roles)) return undefined
    this.#checkSurplus(cells.slice(roles.length), roles.length)
    const row: Partial<Record<Role, string>> = {}
    for (const [at, role] of roles.entries()) {
      const cell = cells[at]
      if (role && cell) row[role] ??= cellOf(role, this.#own ? plainCell(cell) : cell)
    }
    return cells.every((cell) => cell === '') ? undefined : readRow(row, this.#reading.servers)
  }

  /** Cells beyond the last column: an unquoted delimiter in a name, or a second id that would be dropped silently. */
  #checkSurplus(surplus: readonly string[], columns: number): void {
    if (this.#headless && surplus.some(looksLikeReference)) {
      throw badLine('the row names more than one id, PID or URL: give one per line')
    }
    if (!this.#headless && surplus.some((cell) => cell !== '')) {
      throw badLine(`the row has more cells than the header's ${columns}: quote a cell that holds the delimiter`)
    }
  }
}

type Roles = readonly (Role | undefined)[]

/** A row that is commented out with `#`, which is certain only where no file name can be. */
function isComment(cells: readonly string[], roles: Roles): boolean {
  const [first] = roles
  return first !== undefined && NAMING.includes(first) && (cells[0]?.startsWith('#') ?? false)
}
