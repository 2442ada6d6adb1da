import { hash } from 'node:crypto'
import type { Checksum } from '../model/checksum.ts'

/** A file that is at the destination, and where it belongs in its dataset. */
export interface HoldingFile {
  /** Where its bytes are, relative to the destination. */
  readonly place: string
  /** Folder and name in the dataset; with whole batches, in the batch. */
  readonly path: string
  readonly size: number
  /** What it was verified with, or recorded as, when it came. */
  readonly checksum?: Checksum | undefined
  /** Further digests that were taken of it. */
  readonly digests?: readonly Checksum[] | undefined
  /** Its PID, else the address of its page. */
  readonly id?: string | undefined
  readonly contentType?: string | undefined
  /** When it came, or was last known to be here. */
  readonly fetchedAt?: string | undefined
}

/** A file that should be there and is not. */
export interface MissingFile {
  readonly path: string
  /** The code that it failed with, or why it was never fetched. */
  readonly why: string
}

/** A version of a dataset. */
export interface DatasetVersion {
  readonly pid: string
  /** Base URL of its server. */
  readonly server: string
  /** `2.1`; undefined: unknown. */
  readonly number: string | undefined
  readonly releasedAt: string | undefined
}

/** What is held of one version of a dataset, or of a whole batch. */
export interface Holding {
  /** Safe as a file name everywhere. */
  readonly name: string
  /** Undefined: a whole batch, or files of which no dataset is known. */
  readonly dataset: DatasetVersion | undefined
  /** What became of its dataset on the server since it was fetched; absent: nothing, as far as is known. */
  readonly left?: { readonly state: 'deaccessioned' | 'gone'; readonly reason: string | undefined } | undefined
  readonly missing: readonly MissingFile[]
  /** Read once, and before the next holding is asked for. */
  readonly files: AsyncIterable<HoldingFile>
  /** Metadata that is kept beside the data, by file name. */
  readonly metadata: () => Promise<ReadonlyMap<string, Uint8Array>>
}

/**
 * What Dataverse calls the bag of a version: `doi:10.5072/FK2/ABC`, `1.0` → `doi-10-5072-FK2-ABCv-1-0`. A PID that would share its
 * name with another one, or whose name is cut, has a hash at the end.
 * @see BagGenerator.java, getValidName
 */
export function holdingName(pid: string, version: string | undefined): string {
  const name = version === undefined ? pid : `${pid}v.${version}`
  const safe = name.replaceAll(/\W/g, '-')
  if (/^\w+:[\d.]+\/[\w/]+$/.test(pid) && safe.length <= LONGEST_NAME) return safe
  return `${safe.slice(0, LONGEST_NAME - HASH_DIGITS - 1)}-${hash('sha256', name).slice(0, HASH_DIGITS)}`
}

/** With an ending and what marks it as unfinished, a file name of a file system. */
const LONGEST_NAME = 150
const HASH_DIGITS = 8

/** Whether two texts name one dataset: DOIs and Handles are the same in any case. */
export function samePid(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
