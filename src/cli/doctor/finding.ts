/** - `ok`: works · `warn`: works, and a person should know something · `fail`: a batch would not run */
export type Health = 'ok' | 'warn' | 'fail'

/** What one check of `dataferry doctor` found out. */
export interface Finding {
  /** What was looked at, e.g. `Redis`. */
  readonly check: string
  readonly health: Health
  /** One sentence with the facts; never a token. */
  readonly message: string
  /** What to type or do; only where something should be done. */
  readonly fix?: string
}
