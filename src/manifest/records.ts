import { MAX_LINE_BYTES, type Line } from './lines.ts'
import { endsWithinQuotes, splitRecord } from './record.ts'

/** A record of CSV or TSV with the line where it begins. */
export interface TableRecord {
  readonly line: number
  readonly cells: readonly string[]
  /** Why it cannot be read; then there are no cells. */
  readonly problem?: string
}

const OPEN = 'a quote opens here and is not closed'

/**
 * Joins lines to records. A quoted cell may span many lines, up to 64 KiB; when a quote is never closed, its own line is
 * a problem and reading continues with the next line.
 */
export class RecordReader {
  readonly #delimiter: string
  /** Lines of a record that is still open. */
  #open: Line[] = []
  #text = ''
  /** Whether a quote is open at their end. */
  #within = false

  constructor(delimiter: string) {
    this.#delimiter = delimiter
  }

  /** Takes the next line. @returns records that are complete with it */
  push(line: Line): readonly TableRecord[] {
    if (line.problem !== undefined) {
      const unclosed = this.#giveUp(`${OPEN} before an unreadable line: close it`)
      return [...unclosed, { line: line.number, cells: [], problem: line.problem }]
    }
    const before = this.#open.at(-1)
    this.#text = before ? this.#text + (before.crlf ? '\r\n' : '\n') + line.text : line.text
    this.#open.push(line)
    if (this.#text.length > MAX_LINE_BYTES) {
      return this.#giveUp(`${OPEN} within 64 KiB: close it, or double it if it is part of the text`)
    }
    this.#within = endsWithinQuotes(line.text, this.#delimiter, this.#within)
    return this.#within ? [] : this.#split()
  }

  /** Ends the table. @returns what is left, all of it problems or lines after them */
  finish(): readonly TableRecord[] {
    return this.#giveUp(`${OPEN} before the end: close it`)
  }

  #split(): readonly TableRecord[] {
    const split = splitRecord(this.#text, this.#delimiter)
    if (split.state !== 'whole') return this.#giveUp(split.state === 'broken' ? split.problem : OPEN)
    const line = this.#open[0]?.number ?? 1
    this.#open = []
    return [{ line, cells: split.cells }]
  }

  /**
   * Reports the first line of the open record, and reads each of the others on its own: trying to join them as well could
   * take as many passes as there are lines.
   */
  #giveUp(problem: string): readonly TableRecord[] {
    const [first, ...others] = this.#open
    this.#open = []
    this.#within = false
    return first ? [{ line: first.number, cells: [], problem }, ...others.map((line) => this.#alone(line))] : []
  }

  #alone({ number, text }: Line): TableRecord {
    const split = splitRecord(text, this.#delimiter)
    if (split.state === 'whole') return { line: number, cells: split.cells }
    return {
      line: number,
      cells: [],
      problem: split.state === 'broken' ? split.problem : `${OPEN} on this line: close it`,
    }
  }
}
