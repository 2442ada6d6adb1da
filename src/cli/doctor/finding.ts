/** - `ok`: works · `warn`: works, with something to know · `fail`: a batch would not run */
export type Health = 'ok' | 'warn' | 'fail'

/** The result of one check of `dataferry doctor`. */
export interface Finding {
  /** What was looked at, e.g. `Redis`. */
  readonly check: string
  readonly health: Health
  /** One sentence with the facts; never a token. */
  readonly message: string
  /** What to type or do, if anything. */
  readonly fix?: string
}
