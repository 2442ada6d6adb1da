import type { Sheet } from '../../src/cli/terminal/output.ts'

/** A stream that keeps what is written to it, and looks like a terminal when given a size. */
export class Recorder implements Sheet {
  readonly isTTY: boolean
  readonly columns: number | undefined
  readonly rows: number | undefined
  text = ''

  constructor(size?: { readonly columns: number; readonly rows: number }) {
    this.isTTY = size !== undefined
    this.columns = size?.columns
    this.rows = size?.rows
  }

  write(text: string): boolean {
    this.text += text
    return true
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }
}
