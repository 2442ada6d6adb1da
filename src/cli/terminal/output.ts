import { visibleJson, visibleLines, visibleText } from '../../model/visible-text.ts'
import { displayWidth, pad, wrap } from './text.ts'

/** The part of a stream that output needs; `process.stdout` and a test's recorder are both that. */
export interface Sheet {
  readonly isTTY?: boolean
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  write(text: string): unknown
}

/** Wider text is tiring to read, and does not fit where it is pasted. */
const WIDEST = 80
/** Erases from the cursor to the end of the line. */
const ERASE_REST = '\x1b[K'

export type Tone = 'plain' | 'bold' | 'dim' | 'good' | 'warn' | 'bad'
const SGR: Readonly<Record<Tone, string>> = { plain: '', bold: '1', dim: '2', good: '32', warn: '33', bad: '31' }

/** A cell of a table; numbers are best given as text already formatted, with `align` of the column. */
export interface Cell {
  readonly text: string
  readonly tone?: Tone
}

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** Something drawn at the bottom of the terminal, such as the progress; it makes room for every other line. */
export interface Overlay {
  hide(): void
  show(): void
}

export interface OutputOptions {
  readonly stdout: Sheet
  readonly stderr: Sheet
  /** Results as one JSON object per line. */
  readonly json: boolean
  /** Only warnings and errors on standard error. */
  readonly quiet: boolean
  /** False when colours are not wanted, terminal or not. */
  readonly color: boolean
  /** False when the terminal cannot move its cursor. */
  readonly redraws: boolean
  /** Told of every record of results, whether it is printed or not. */
  readonly onRecord?: ((record: Readonly<Record<string, unknown>>) => void) | undefined
}

/**
 * All that a command prints: results on standard output, everything else on standard error. Every text is escaped,
 * so a caller passes names as they are; colour is asked for by tone and shown on terminals only. Sentences are broken between
 * words where a terminal would break them anywhere; results and commands stay whole, since people copy them.
 */
export class Output {
  readonly json: boolean
  readonly quiet: boolean
  /** Whether a live display may be drawn on `terminal`. */
  readonly redraws: boolean
  readonly #stdout: Sheet
  readonly #stderr: Sheet
  readonly #color: boolean
  readonly #onRecord: OutputOptions['onRecord']
  #overlay: Overlay | undefined

  constructor(options: OutputOptions) {
    this.json = options.json
    this.quiet = options.quiet
    this.redraws = options.redraws && options.stderr.isTTY === true
    this.#stdout = options.stdout
    this.#stderr = options.stderr
    this.#color = options.color
    this.#onRecord = options.onRecord
  }

  /** Where a live display may draw. */
  get terminal(): Sheet {
    return this.#stderr
  }

  /** Whether results go to a terminal. */
  get isTerminal(): boolean {
    return this.#stdout.isTTY === true
  }

  /** Columns for text that is laid out to be read: never more than 80, less on a narrow terminal. */
  get columns(): number {
    const { isTTY, columns } = this.#stdout
    return isTTY === true && columns !== undefined && columns > 0 ? Math.min(WIDEST, columns) : WIDEST
  }

  /** A result in both forms: the record with `--json`, the text without. */
  result(record: Readonly<Record<string, unknown>>, text: string, tone: Tone = 'plain'): void {
    this.record(record)
    this.line(text, tone)
  }

  /** One line of results for people: a name with a line end in it begins no other. Nothing with `--json`. */
  line(text = '', tone: Tone = 'plain'): void {
    if (!this.json) this.#put(this.#stdout, this.#paint(this.#stdout, visibleText(text), tone))
  }

  /** Sentences of results for people, broken between words; nothing with `--json`. */
  paragraph(text: string, tone: Tone = 'plain'): void {
    if (!this.json) this.#put(this.#stdout, this.#paint(this.#stdout, wrap(visibleLines(text), this.columns), tone))
  }

  /** Lines of results that are text whatever was asked for, such as a help. */
  text(text: string): void {
    this.#put(this.#stdout, visibleLines(text))
  }

  /** A JSON line of results; nothing without `--json`. */
  record(record: Readonly<Record<string, unknown>>): void {
    this.#onRecord?.(record)
    if (this.json) this.#put(this.#stdout, visibleJson(JSON.stringify(record)))
  }

  /** Aligned columns; nothing with `--json`. The last column is not padded, and nothing is cut: people copy from here. */
  table(columns: readonly Column[], rows: readonly (readonly Cell[])[]): void {
    const safe = rows.map((row) => row.map((cell) => ({ ...cell, text: visibleText(cell.text) })))
    const widths = columns.map(({ title }, at) =>
      Math.max(displayWidth(title), ...safe.map((row) => displayWidth(row[at]?.text ?? ''))),
    )
    const print = (cells: readonly Cell[]): void => {
      if (this.json) return
      const texts = columns.map(({ align }, at) => {
        const cell = cells[at] ?? { text: '' }
        const last = at === columns.length - 1 && align !== 'right'
        return this.#paint(
          this.#stdout,
          last ? cell.text : pad(cell.text, widths[at] ?? 0, align),
          cell.tone ?? 'plain',
        )
      })
      this.#put(this.#stdout, texts.join('  ').trimEnd())
    }
    print(columns.map(({ title }) => ({ text: title, tone: 'dim' })))
    for (const row of safe) print(row)
  }

  /** A note for people; nothing with `-q`. */
  say(text: string, tone: Tone = 'plain'): void {
    if (!this.quiet) this.#note(text, tone)
  }

  /** Something a person should look at while the work continues. */
  warn(text: string): void {
    this.#note(`dataferry: warning: ${text}`, 'warn')
  }

  /** Why the command failed, and what to do. */
  error(text: string, advice?: string, command?: string): void {
    this.#note(`dataferry: ${text}`, 'bad')
    if (advice !== undefined) this.#note(`  ${advice}`, 'plain')
    if (command !== undefined) this.#put(this.#stderr, `    ${visibleText(command)}`)
  }

  /** A command to paste, on a line of its own; nothing with `-q`. */
  command(text: string): void {
    if (!this.quiet) this.#put(this.#stderr, `  ${visibleText(text)}`)
  }

  /** The reply to Ctrl-C: on a line of its own, though the terminal has just shown `^C`. */
  interrupted(text: string): void {
    if (this.#stderr.isTTY === true && !this.#overlay) this.#stderr.write(this.redraws ? `\r${ERASE_REST}` : '\n')
    this.say(text)
  }

  /** Keeps a live display below all lines until it is removed with `undefined`. */
  cover(overlay: Overlay | undefined): void {
    this.#overlay = overlay
  }

  #note(text: string, tone: Tone): void {
    const { isTTY, columns } = this.#stderr
    const safe = visibleLines(text)
    const fitting = isTTY === true && columns !== undefined && columns > 0 ? wrap(safe, columns) : safe
    this.#put(this.#stderr, this.#paint(this.#stderr, fitting, tone))
  }

  #put(sheet: Sheet, text: string): void {
    this.#overlay?.hide()
    sheet.write(`${text}\n`)
    this.#overlay?.show()
  }

  #paint(sheet: Sheet, text: string, tone: Tone): string {
    if (!this.#color || sheet.isTTY !== true || SGR[tone] === '' || text === '') return text
    return `\x1b[${SGR[tone]}m${text}\x1b[0m`
  }
}
