/** Why a JSON text cannot be read, in words that fit into a sentence: `the JSON ends too early`. */
export class JsonError extends Error {
  override readonly name = 'JsonError'
  /** Where reading stopped, from 1. */
  readonly line: number

  constructor(problem: string, line: number) {
    super(problem)
    this.line = line
  }
}
