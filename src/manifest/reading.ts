import type { ServerList } from './server-list.ts'
import type { UnknownColumns } from './unknown-columns.ts'

/** What every format's reader needs to know of the manifest at hand. */
export interface Reading {
  /** As messages name it: `manifest.csv`. */
  readonly name: string
  /** How messages name a line of it: `manifest.csv:7`. */
  readonly at: (line: number) => string
  readonly servers: ServerList
  /** Judges columns without a role, and collects them for one notice. */
  readonly columns: UnknownColumns
  /** Tells the user something that is not an error, such as columns that are not used. */
  readonly notice: (text: string) => void
}
