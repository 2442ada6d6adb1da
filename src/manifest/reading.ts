import type { ServerList } from './server-list.ts'

/** What every format's reader needs to know of the manifest at hand. */
export interface Reading {
  /** As messages name it: `manifest.csv`. */
  readonly name: string
  readonly servers: ServerList
  /** Whether a column that looks like a misspelt one is no error. */
  readonly ignoreColumns: boolean
  /** Tells the user something that is no error, such as columns that are not used. */
  readonly notice: (text: string) => void
}
