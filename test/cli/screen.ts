/** What a terminal shows after some output: as much of one as the live display needs, and no sequence besides. */
export class Screen {
  readonly #columns: number
  #rows: string[] = ['']
  #row = 0
  #column = 0
  cursorVisible = true

  constructor(columns: number) {
    this.#columns = columns
  }

  /** Lines without the blanks at their ends, and without the empty one where the cursor waits. */
  get lines(): string[] {
    const lines = this.#rows.map((line) => line.trimEnd())
    return lines.at(-1) === '' ? lines.slice(0, -1) : lines
  }

  feed(text: string): this {
    // eslint-disable-next-line no-control-regex -- the sequences are what it looks for
    for (const [piece] of text.matchAll(/\x1b\[\??\d*[A-Za-z]|[^\x1b]/gu)) this.#take(piece)
    return this
  }

  #take(piece: string): void {
    if (piece.startsWith('\x1b')) this.#control(piece.slice(2))
    else if (piece === '\n') this.#newLine()
    else if (piece === '\r') this.#column = 0
    else this.#put(piece)
  }

  #control(sequence: string): void {
    if (sequence.endsWith('A')) {
      this.#row = Math.max(0, this.#row - Number(sequence.slice(0, -1)))
    } else if (sequence === 'K') {
      this.#rows[this.#row] = (this.#rows[this.#row] ?? '').slice(0, this.#column)
    } else if (sequence === 'J') {
      this.#rows.length = this.#row + 1
      this.#control('K')
    } else if (sequence === '?25l' || sequence === '?25h') {
      this.cursorVisible = sequence.endsWith('h')
    } else {
      throw new Error(`this terminal does not know ${JSON.stringify(sequence)}`)
    }
  }

  #newLine(): void {
    this.#row++
    this.#column = 0
    this.#rows[this.#row] ??= ''
  }

  #put(character: string): void {
    if (this.#column >= this.#columns) throw new Error(`line ${this.#row} is too wide: ${this.#rows[this.#row] ?? ''}`)
    const row = this.#rows[this.#row] ?? ''
    this.#rows[this.#row] = row.slice(0, this.#column).padEnd(this.#column) + character + row.slice(this.#column + 1)
    this.#column++
  }
}
