import type { TreeEntry } from '../tree.ts'
import type { BegunVersion } from './begun-version.ts'
import type { Addressing } from './inventory.ts'

/** Validators leave what is in there alone. */
export const EXTENSIONS = 'extensions'

/** The objects of a storage root, wherever it is. Paths are relative to the root. */
export interface Objects {
  /** A small file; undefined: not there. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Names of what is directly in a folder. */
  list(path: string): Promise<readonly string[]>
  /** Everything below a folder, by paths relative to it. */
  files(path: string): AsyncIterable<TreeEntry>
  /** Writes a small file in one step. */
  replace(path: string, content: string | Uint8Array): Promise<void>
  /** Versions of which something shows and that are not whole at their place: their writers go on, or were stopped. */
  showing(): AsyncIterable<BegunVersion>
  /**
   * Puts right what dead processes left: what no object needs is removed, files of versions that never came in full included.
   * @param finish is called with each object of which a whole version does not show in full yet
   */
  tidy(finish: (object: string) => Promise<void>): Promise<void>
  /** The version of an object that a writer of ours has begun and may not have ended: its files show while they come. */
  unfinished(object: string): Promise<string | undefined>
  /** Makes a version that is whole the head of its object. Rejects with `SINK_BUSY` where another process has done more. */
  finish(object: string, version: WholeVersion): Promise<void>
  /**
   * Begins a version of an object: `v1` makes the object. In a store, where its files show while they come, it is also the claim
   * on the object: `SINK_BUSY` while a live process has it.
   */
  stage(object: string, version: string, algorithm: Addressing): Promise<StagedVersion>
  /** Takes an object away; nothing there is no error. */
  remove(object: string): Promise<void>
}

/** A version that has all its files, its inventory among them. */
export interface WholeVersion {
  readonly algorithm: Addressing
  readonly version: string
  /** The inventory of the object as it was read, which is of an earlier version; undefined: it has none. */
  readonly before: Uint8Array | undefined
  readonly inventory: Uint8Array
  readonly sidecar: string
}

/** A version that is being made. Disposing drops what was not published, or leaves it to the next try. */
export interface StagedVersion extends AsyncDisposable {
  /** Adds a file of the version, by its path in the object. */
  write(path: string, chunks: AsyncIterable<Uint8Array>, size: number): Promise<void>
  /** The same with a file of the destination that the root is in, which stays there: by a hard link, or a copy made by the store. */
  adopt(path: string, from: string): Promise<void>
  /** Drops a file again, or one that was never written. */
  drop(path: string): Promise<void>
  /**
   * Shows the version: a new object last of all by its declaration, or in one step; a further version in steps, after each of which
   * a rerun finishes, since the version holds its own inventory. Rejects with `SINK_BUSY` when another process did so meanwhile.
   */
  publish(inventory: string, sidecar: string): Promise<void>
}
