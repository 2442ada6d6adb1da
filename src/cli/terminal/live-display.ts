import type { Output, Sheet } from './output.ts'

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
/** Erases from the cursor to the end of the screen. */
const ERASE_BELOW = '\x1b[J'
const ERASE_REST = '\x1b[K'

/**
 * A few lines that stay at the bottom of a terminal while other lines scroll by above them. The lines must not be
 * wider than the terminal: a wrapped line would leave its first half behind.
 */
export class LiveDisplay {
  readonly #out: Output
  readonly #sheet: Sheet
  #lines: readonly string[] = []
  #drawn = 0
  #open = false
  /** A process that exits without `close` must not leave the shell without a cursor. */
  readonly #rescue = (): void => void this.#sheet.write(SHOW_CURSOR)

  constructor(out: Output) {
    this.#out = out
    this.#sheet = out.terminal
  }

  draw(lines: readonly string[]): void {
    if (!this.#open) this.#start()
    this.#lines = lines
    this.#paint()
  }

  /** Removes the lines and restores the cursor. Safe to call twice. */
  close(): void {
    if (!this.#open) return
    this.#open = false
    this.#out.cover(undefined)
    process.off('exit', this.#rescue)
    this.#sheet.write(`${this.#toTop()}${ERASE_BELOW}${SHOW_CURSOR}`)
    this.#drawn = 0
  }

  #start(): void {
    this.#open = true
    process.once('exit', this.#rescue)
    this.#sheet.write(HIDE_CURSOR)
    this.#out.cover({
      hide: () => {
        this.#sheet.write(`${this.#toTop()}${ERASE_BELOW}`)
        this.#drawn = 0
      },
      show: () => this.#paint(),
    })
  }

  #paint(): void {
    const body = this.#lines.map((line) => `${line}${ERASE_REST}\n`).join('')
    this.#sheet.write(`${this.#toTop()}${body}${ERASE_BELOW}`)
    this.#drawn = this.#lines.length
  }

  #toTop(): string {
    return this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A`
  }
}
