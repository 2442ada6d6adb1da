import type { Readable } from 'node:stream'
import type { Checksum } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'
import type { Item } from '../model/item.ts'
import type { Verified } from '../model/receipt.ts'

/** A committed file. */
export interface Committed {
  /** Bytes. */
  readonly size: number
  /**
   * What a commit proved about these bytes, if the sink remembers it (object metadata, or the mark
   * that a disk sink leaves for items without a published checksum until they are forgotten). Undefined means: read them.
   */
  readonly proof: Proof | undefined
  /** Key of the stage that committed it, if the sink remembers it. */
  readonly key?: string | undefined
}

/** What is known about bytes when they are committed. */
export interface Proof {
  readonly checksum: Checksum
  /** Further digests of the same bytes, as far as they are known. */
  readonly digests?: readonly Checksum[] | undefined
  readonly size: number
  readonly verified: Verified
  /** Key of the stage that committed it, if the sink remembers it. */
  readonly key?: string
}

/** What is known about bytes that are at hand: their count need not be told. */
export type Statement = Omit<Proof, 'size' | 'key'>

/** `linked`: by a hard link, or a copy made by the store. `copied`: the system knows no links, or not one more of this file. */
export type Linked = 'linked' | 'copied'

export interface StageOptions {
  /** One writer per key: `<batch>-<n>`. */
  readonly key: string
  readonly item: Item
  readonly signal: AbortSignal
}

/**
 * A place for files and their batch folders. Every method rejects with `SINK_…` codes or the signal's reason, and
 * with `ARGUMENT_INVALID` for a path, key or record name that could lead outside.
 */
export interface Sink {
  /** For receipts and logs: absolute, without credentials. */
  readonly url: string
  /** Whether `stage` can only resume from a saved hash state, so that `Hash#save` must work. */
  readonly needsHashState: boolean
  /** What is committed at `path`; undefined: nothing. `key` finds marks left by a commit of this very item. */
  stat(path: string, key: string, signal: AbortSignal): Promise<Committed | undefined>
  /**
   * The committed bytes. Rejects with `SINK_FAILED` when there are none. The caller reads to the end or destroys the
   * stream, which fails with `SINK_…` codes or the signal's reason.
   */
  read(path: string, signal: AbortSignal): Promise<Readable>
  /**
   * Opens the one stage of a key; the caller disposes it. Nothing shows at `item.path`, a path or a place (`move`), before `commit`.
   * Rejects with `SINK_BUSY` when the key has an open stage, in this or another live process, or when another file was put
   * at the path since `stat` looked there for this key (S3 tells so at `commit`): look again; with `SINK_FULL` when
   * `item.expect.size` is known not to fit; with `SINK_EXISTS` or `SINK_DENIED` when its folder cannot be created.
   */
  stage(options: StageOptions): Promise<Stage>
  /**
   * Publishes a small file whose bytes are in memory and verified: at `item.path` in one step, durable when it resolves, in the
   * place of what was there. No stage: there is no part to resume, and no claim, since another process with the same item has
   * verified it, too. Rejects with `SINK_BUSY` when the key has an open stage in this process, or when something else was put at
   * the path since `stat` looked there for this key: look again; otherwise as `Stage#commit`.
   */
  put(options: StageOptions, bytes: Uint8Array, statement: Statement): Promise<void>
  /**
   * Drops any marks and parts of `key`; called when the item's outcome is on record. Repeatable. The part of
   * a stage that is open in this process goes when that stage is disposed; what another live process writes is left.
   */
  forget(key: string): Promise<void>
  /**
   * Drops what no live writer is using: parts, open uploads and marks; unfinished items start over then.
   * @param isMeant chooses among them by their keys; default: all
   * @returns how many parts and uploads were dropped
   */
  sweep(signal: AbortSignal, isMeant?: (key: string) => boolean): Promise<number>
  /**
   * Puts a committed file elsewhere within the destination, durable and in one step each, replacing what is there. Places are
   * paths of files, or those that are kept aside (`checkPlace`).
   * @returns false: nothing is at `from`
   */
  move(from: string, to: string, signal: AbortSignal): Promise<boolean>
  /**
   * As `move`, and the file stays where it is, too.
   * @returns undefined: nothing is at `from`
   */
  link(from: string, to: string, signal: AbortSignal): Promise<Linked | undefined>
  /** Removes a committed file; nothing there is no error. */
  remove(place: string): Promise<void>
  /**
   * Every committed file with its size, in no order, without the `.dataferry` folder.
   * @param below only those in this folder, which may be one of files that are kept aside
   */
  list(signal: AbortSignal, below?: string): AsyncIterable<{ readonly path: string; readonly size: number }>
  /**
   * Makes sure that a destination which has records can be used, by writing something small and removing it.
   * Rejects with `SINK_UNAVAILABLE` or `SINK_FULL`, which concern all of it: all work there waits.
   */
  check(): Promise<void>
  /** Bytes that can still be written; undefined when unlimited or unknown. */
  free(): Promise<number | undefined>
  /** The small files of the batch folders, beside the data. */
  readonly records: Records
  /** Closes the sink. Callers close their logs first; open stages are disposed. */
  close(): Promise<void>
}

/** Bytes on their way to a path. Disposing without commit keeps what can be resumed and shows nothing. */
export interface Stage extends AsyncDisposable {
  /**
   * Feeds `hash` every byte already held and resolves to their count. Drops what it cannot reread, and resolves to 0.
   * `hash` must be empty; if this rejects, its state is useless.
   */
  resume(hash: Hash, signal: AbortSignal): Promise<number>
  /** Drops every byte held. */
  restart(): Promise<0>
  /**
   * Adds chunks to the end; a chunk is valid until the next one is asked for. `hash` has seen exactly the chunks
   * that were asked for: a sink that saves its state does so at its own borders.
   * `chunks` ends by itself when `signal` aborts: a sink cannot interrupt the wait for a chunk.
   * If it rejects, what was kept is available to the next `resume`, of this stage or a later one with its key.
   * Rejects with `SINK_FULL`, and with `SINK_BUSY` when another process took this key over.
   */
  append(chunks: AsyncIterable<Uint8Array>, hash: Hash, signal: AbortSignal): Promise<void>
  /**
   * Makes the bytes durable and publishes them at the path in one step, replacing what was there. Ends the stage.
   * `proof.size` is the count of bytes held, else `SINK_FAILED`. If it rejects, nothing becomes visible, and the bytes are kept.
   * Rejects with `SINK_BUSY` when another process took this key over in the meantime.
   */
  commit(proof: Proof): Promise<void>
}

/** Longest record that is read as a whole: a longer one was not written by dataferry. */
export const LONGEST_RECORD = 256 << 20

/**
 * The batch folder's files: whole files that are replaced in one step, and logs that only grow.
 * Names are relative to `.dataferry/`, with `/` between segments, e.g. `b1/receipts/host-12.ndjson`.
 */
export interface Records {
  /** The whole file, or the beginning of one that is longer than `LONGEST_RECORD`; undefined: not there. */
  read(name: string): Promise<Uint8Array | undefined>
  /** Writes the whole file, durable and in one step: a reader finds the old content or the new. */
  write(name: string, content: AsyncIterable<Uint8Array> | Uint8Array | string): Promise<void>
  /**
   * Writes a whole file where nothing is yet, durable and in one step.
   * @returns false: something is there, which may be of this very call where the answer of a store was lost
   */
  create(name: string, content: string): Promise<boolean>
  /** Files (not folders) below a folder, at any depth. A log is one name, whatever it is made of. */
  list(folder: string): Promise<readonly string[]>
  /**
   * Names of the folders directly below `.dataferry/`, which are the batches, or below a folder in it. A folder vanishes with
   * its last record.
   */
  folders(below?: string): Promise<readonly string[]>
  /** Removes a file or log; a missing one is not an error. */
  remove(name: string): Promise<void>
  /**
   * Puts a folder with all its files and logs, none of them open, where nothing is yet. On disk it shows there in one step; in S3
   * its file `last` shows last. Repeatable: with nothing at `from` it does nothing.
   */
  moveFolder(from: string, to: string, last: string): Promise<void>
  /**
   * Opens a log for appending, cut to `length` bytes first when given; the caller closes it. One writer per name:
   * `SINK_BUSY` when this sink has it open. `SINK_FAILED` when the log is shorter than `length`.
   * A crash may leave a log that ends in the middle of what was last appended: readers drop a torn last line.
   */
  appendTo(name: string, length?: number): Promise<RecordLog>
  /** Bytes `from` … `to` − 1 of a log, or fewer when it is shorter; none when it does not exist. */
  readLog(name: string, from: number, to: number): Promise<Uint8Array>
  /** A log, or a whole file, from an offset to its present end; nothing when it does not exist. */
  streamLog(name: string, from: number): AsyncIterable<Uint8Array>
}

export interface RecordLog {
  /** Bytes in the log: where it was opened, and every `append` that has resolved. */
  readonly length: number
  /** Adds bytes; durable when it resolves. Concurrent calls keep their order and share one sync. */
  append(data: string | Uint8Array): Promise<void>
  /** Waits for pending appends; later ones reject with `SINK_FAILED`. Repeatable. */
  close(): Promise<void>
}
