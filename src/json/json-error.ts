/** Why a JSON text cannot be read, as part of a sentence: `the JSON ends too early`. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  /** Where reading stopped, from 1. */
  readonly line: number
  /** The text is longer or deeper than any that is read, so that it will not do another time either. */
  readonly isBeyond: boolean

  constructor(problem: string, line: number, isBeyond = false) {
    super(problem)
    this.line = line
    this.isBeyond = isBeyond
  }
}
