import type { DataferryError } from '../errors.ts'
import type { Checksum } from './checksum.ts'
import type { Format } from './item.ts'
import type { ListedFile, ListedVersion } from './listing.ts'

/** What a manifest line asks for, as far as the line itself says. */
export type Target =
  /** A file's version decides its name, and the file must be in it; its bytes are the same in all versions. */
  | { readonly kind: 'file'; readonly file: number | string; readonly version?: string }
  | {
      readonly kind: 'dataset'
      readonly dataset: number | string
      readonly version?: string
      /** Only files in this folder or below: `/` between segments. */
      readonly folder?: string
    }
  /** A PID that may name a dataset or a file: only the server knows. */
  | { readonly kind: 'pid'; readonly pid: string; readonly version?: string }
  | { readonly kind: 'zip'; readonly files: readonly number[] }
  | { readonly kind: 'dataset-zip'; readonly dataset: number | string; readonly version?: string }
  | { readonly kind: 'bundle'; readonly file: number | string }
  /** A collection by its id or alias, with all collections in it: searched only with `--recursive`. */
  | { readonly kind: 'collection'; readonly collection: number | string; readonly title?: string }

/** One line of a manifest, understood but not yet resolved with the server. */
export interface Entry {
  readonly target: Target
  /** Base URL without trailing slash; undefined: the default server. */
  readonly server?: string
  /** The path that the user chose, as written: made safe by the planner. */
  readonly path?: string
  readonly checksum?: Checksum
  readonly size?: number
  readonly format?: Format
  /** A row of a file listing has everything that planning needs: no request is made for it. */
  readonly listed?: ListedFile
  /** The dataset version that `listed` belongs to, where the listing says so. */
  readonly listedIn?: ListedVersion
}

/** A bad line is a value: reading continues, and the CLI shows every error before anything is enqueued. */
export type ManifestLine = { readonly line: number } & ({ readonly entry: Entry } | { readonly error: DataferryError })
