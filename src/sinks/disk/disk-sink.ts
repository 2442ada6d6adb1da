import { constants, type Stats } from 'node:fs'
import { opendir, lstat, rename, stat, statfs, type FileHandle } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { LRUCache } from 'lru-cache'
import { DataferryError } from '../../errors.ts'
import { CHUNK_SIZE, openPlain, writeAt } from './bytes.ts'
import type { Holder } from './part-claims.ts'
import { ABSENT, unless } from './errors.ts'
import { isWithin, parentOf } from './folders.ts'
import { MARKS_FOLDER, openWorkspace, type DiskSinkOptions, type Workspace } from './workspace.ts'
import { readMark } from './marks.ts'
import { publishFile } from './publish-file.ts'
import { Places } from './places.ts'
import { DiskRecords } from './records.ts'
import { DiskStage } from './stage.ts'
import { Volume } from './volume.ts'
import { REPLACED, walkByBytes } from './walk-by-bytes.ts'
import { checkKey, checkPlace, RECORDS_FOLDER } from '../names.ts'
import type { Committed, Linked, Sink, Stage, StageOptions, Statement } from '../sink.ts'

export type { DiskSinkOptions } from './workspace.ts'

/** From this size on, free space is checked before a file is begun: for smaller ones writing finds out as quickly. */
const LOOK_FOR_ROOM_FROM = CHUNK_SIZE
/** Keys that are remembered; a forgotten one costs a few system calls. */
const REMEMBERED_KEYS = 10_000
/** File systems keep times as coarsely as this (FAT), and round them when a file leaves the cache. */
const TIME_GRAIN_MS = 2_000
/** Bytes that are looked for where the end of a file should be. */
const END_SIZE = 1024
/** Files whose size is read at the same time while listing. */
const LIST_BATCH = 32

/** What was at a path. */
type Seen = Stats | 'absent'

/** Bytes of a stage that was not committed. */
interface Leftover {
  readonly key: string
  readonly size: number
  /** Only a part with a `live` holder is in use. */
  readonly holder: Holder
}

/**
 * A folder as a sink. Creates nothing before the first stage or record, so that reading from a mistyped path leaves no
 * trace. Files become visible in one step, complete and durable: written below `.dataferry/parts/`, synced, renamed,
 * and the folder synced. See `PartClaims` for who may write a part, `DiskMarks` for proofs that survive a crash.
 *
 * After a power cut a part may hold less than was written, or other bytes at its end: only a checksum over all of it
 * proves a resumed file, which is why `resume` reads every byte again.
 * @param root folder of the destination; relative to the working directory
 */
export function diskSink(root: string, options: DiskSinkOptions = {}): DiskSink {
  return new DiskSink(resolve(root), options)
}

export class DiskSink implements Sink {
  readonly url: string
  readonly needsHashState = false
  readonly records: DiskRecords
  readonly #root: string
  readonly #options: DiskSinkOptions
  readonly #volume: Volume
  /** Stages of this sink; undefined while one is being opened. */
  readonly #stages = new Map<string, DiskStage | undefined>()
  /** Keys whose stage left neither part nor mark, so that forgetting them does not touch the disk. */
  readonly #clean = new LRUCache<string, true>({ max: REMEMBERED_KEYS })
  /** What `stat` saw last, for the stage or put that follows. */
  readonly #seen = new LRUCache<string, Seen>({ max: REMEMBERED_KEYS })
  #workspace: Promise<Workspace> | undefined
  /** Records were found here: a root without any is another place now, such as the mount point of a disk that has gone. */
  #isKnown = false

  constructor(root: string, options: DiskSinkOptions) {
    this.url = pathToFileURL(root).href
    this.#root = root
    this.#options = options
    this.#volume = new Volume(root, () => this.#tryOut())
    this.records = new DiskRecords(this.#volume, {
      open: () => this.#open(),
      onFound: () => (this.#isKnown = true),
    })
  }

  async stat(path: string, key: string, signal: AbortSignal): Promise<Committed | undefined> {
    checkPlace(path)
    checkKey(key)
    signal.throwIfAborted()
    return this.#volume.run(`look at ${path}`, async () => {
      const stats = await this.#look(path)
      this.#seen.set(key, stats)
      if (stats === 'absent') return undefined
      const proof = await readMark(join(this.#root, MARKS_FOLDER, `${key}.json`), path, stats)
      return { size: stats.size, proof: proof && { ...proof, key } }
    })
  }

  async read(path: string, signal: AbortSignal): Promise<Readable> {
    checkPlace(path)
    signal.throwIfAborted()
    const handle = await this.#volume.run(`read ${path}`, () =>
      unless([...ABSENT, 'ELOOP'], openPlain(join(this.#root, path), constants.O_RDONLY)),
    )
    if (!handle) throw new DataferryError('SINK_FAILED', `Cannot read ${path}: there is no such file in ${this.#root}.`)
    const stream = Readable.from(chunksOf(handle, path, this.#volume, signal), {
      objectMode: false,
      highWaterMark: CHUNK_SIZE,
    })
    // Here and not in the generator, which never runs if the caller reads nothing.
    return stream.once('close', () => void handle.close())
  }

  async stage({ key, item, signal }: StageOptions): Promise<Stage> {
    checkPlace(item.path)
    checkKey(key)
    signal.throwIfAborted()
    if (this.#stages.has(key)) throw openAlready(key)
    this.#stages.set(key, undefined)
    this.#clean.delete(key)
    try {
      const stage = await this.#volume.run(`begin ${item.path}`, () =>
        this.#stage(key, item.path, item.expect.size ?? 0),
      )
      this.#stages.set(key, stage)
      return stage
    } catch (error) {
      this.#stages.delete(key)
      throw error
    }
  }

  async put({ key, item: { path }, signal }: StageOptions, bytes: Uint8Array, statement: Statement): Promise<void> {
    checkPlace(path)
    checkKey(key)
    signal.throwIfAborted()
    if (this.#stages.has(key)) throw openAlready(key)
    const seen = this.#takeSeen(key)
    await this.#volume.run(`write ${path}`, async () => {
      const workspace = await this.#open()
      const write = async (handle: FileHandle): Promise<void> => {
        await writeAt(handle, bytes, 0)
        const proof = { ...statement, size: bytes.length }
        if (proof.verified !== 'checksum') await workspace.marks.write(key, path, proof, handle)
      }
      await publishFile(workspace, path, write, async (temporary, place) => {
        if (seen !== undefined) confirmSame(path, seen, await lookAt(place))
        await rename(temporary, place)
      })
    })
  }

  async forget(key: string): Promise<void> {
    checkKey(key)
    this.#seen.delete(key)
    if (this.#clean.delete(key)) return
    const stage = this.#stages.get(key)
    await this.#volume.run(`forget ${key}`, async () => {
      const { claims, marks } = await this.#open()
      await marks.remove(key)
      if (stage) stage.discard()
      else await claims.remove(key)
    })
  }

  async move(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    return this.#rearrange(`move ${from} to ${to}`, [from, to], signal, (places) => places.move(from, to))
  }

  async link(from: string, to: string, signal: AbortSignal): Promise<Linked | undefined> {
    return this.#rearrange(`link ${from} to ${to}`, [from, to], signal, (places) => places.link(from, to))
  }

  async remove(place: string): Promise<void> {
    await this.#rearrange(`remove ${place}`, [place], undefined, (places) => places.remove(place))
  }

  async *list(signal: AbortSignal, below = ''): AsyncGenerator<{ path: string; size: number }> {
    try {
      yield* walk(this.#root, below, signal)
    } catch (error) {
      throw await this.#volume.explain(error, `list ${this.#root}`)
    }
  }

  async free(): Promise<number | undefined> {
    return this.#volume.run(`read the free space at ${this.#root}`, async () => {
      for (let folder = this.#root; ; folder = dirname(folder)) {
        const room = await unless(ABSENT, statfs(folder))
        // Some file systems do not count, and report 0 of 0.
        if (room) return room.blocks === 0 ? undefined : room.bavail * room.bsize
        if (folder === dirname(folder)) return undefined
      }
    })
  }

  async check(): Promise<void> {
    // Only what was a destination before is waited for.
    this.#isKnown = true
    await this.#open()
    await this.#volume.check()
  }

  async sweep(signal: AbortSignal, isMeant: (key: string) => boolean = () => true): Promise<number> {
    // Nothing has to be made to find nothing.
    const records = join(this.#root, RECORDS_FOLDER)
    const found = await this.#volume.run(`look for parts in ${this.#root}`, () => unless(ABSENT, stat(records)))
    let dropped = 0
    for (const { key, holder } of found ? await this.parts() : []) {
      signal.throwIfAborted()
      if (holder === 'live' || !isMeant(key)) continue
      await this.forget(key)
      dropped++
    }
    return dropped
  }

  /** Parts that were not committed, in no order; `forget` drops one. Also removes what dead processes left unfinished. */
  async parts(): Promise<readonly Leftover[]> {
    return this.#volume.run(`look for parts in ${this.#root}`, async () => {
      const { claims } = await this.#open()
      await claims.tidy()
      const leftovers: Leftover[] = []
      for (const key of await claims.keys()) {
        const occupant = await claims.occupant(key)
        const stats = occupant && (await unless(ABSENT, stat(occupant.path)))
        if (stats) leftovers.push({ key, size: stats.size, holder: await claims.holder(occupant) })
      }
      return leftovers
    })
  }

  async close(): Promise<void> {
    for (const stage of [...this.#stages.values()]) await stage?.[Symbol.asyncDispose]()
    const workspace = await this.#workspace?.catch(() => undefined)
    this.#workspace = undefined
    if (!workspace) return
    // The last process to leave removes what others could not. If the disk is away, the next one to come does.
    await workspace.claims.tidy().catch(() => undefined)
    await workspace.heartbeat.stop().catch(() => undefined)
  }

  async #rearrange<T>(
    doing: string,
    places: readonly string[],
    signal: AbortSignal | undefined,
    work: (places: Places) => Promise<T>,
  ): Promise<T> {
    for (const place of places) checkPlace(place)
    signal?.throwIfAborted()
    return this.#volume.run(doing, async () => work(new Places(this.#root, await this.#open())))
  }

  async #stage(key: string, path: string, expected: number): Promise<DiskStage> {
    const workspace = await this.#open()
    await workspace.folders.check(parentOf(path))
    const claim = await workspace.claims.take(key)
    const length = claim.fresh ? 0 : (await claim.handle.stat()).size
    const stage = new DiskStage(workspace, this.#volume, path, claim, length, (clean) => this.#ended(key, clean))
    try {
      await this.#confirmSeen(path, key)
      await this.#lookForRoom(path, expected - length)
    } catch (error) {
      await stage[Symbol.asyncDispose]()
      throw error
    }
    return stage
  }

  async #look(path: string): Promise<Seen> {
    const seen = await lookAt(join(this.#root, path))
    return seen !== 'absent' && (await isWithin(this.#root, parentOf(path))) ? seen : 'absent'
  }

  /** The previous holder of the claim may have committed after we looked. */
  async #confirmSeen(path: string, key: string): Promise<void> {
    const seen = this.#takeSeen(key)
    if (seen !== undefined) confirmSame(path, seen, await this.#look(path))
  }

  #takeSeen(key: string): Seen | undefined {
    const seen = this.#seen.get(key)
    this.#seen.delete(key)
    return seen
  }

  #ended(key: string, clean: boolean): void {
    this.#stages.delete(key)
    if (clean) this.#clean.set(key, true)
  }

  async #lookForRoom(path: string, needed: number): Promise<void> {
    if (needed < LOOK_FOR_ROOM_FROM) return
    const free = await this.free()
    if (free !== undefined && free < needed) {
      throw new DataferryError(
        'SINK_FULL',
        `${path} needs ${needed} more bytes, but ${this.#root} has room for ${free}.`,
      )
    }
  }

  async #tryOut(): Promise<void> {
    const workspace = await this.#workspace
    if (workspace) await workspace.tryOut()
    else await (await opendir(this.#root)).close()
  }

  /** Creates the folders on first use; the next caller retries after a failure. */
  #open(): Promise<Workspace> {
    this.#workspace ??= openWorkspace(this.#root, this.#options, !this.#isKnown).catch((error: unknown) => {
      this.#workspace = undefined
      throw this.#volume.unusable(error)
    })
    return this.#workspace
  }
}

/** What is at an absolute path. A link counts as absent: `list` does not follow it either. */
async function lookAt(path: string): Promise<Seen> {
  const stats = await unless(ABSENT, lstat(path))
  return stats?.isFile() === true ? stats : 'absent'
}

/** Only what we saw may be replaced. */
function confirmSame(path: string, seen: Seen, now: Seen): void {
  if (isSame(seen, now)) return
  throw new DataferryError('SINK_BUSY', `Another file was put at ${path} in the meantime: it is checked first.`)
}

/** Not by inode number, which some network file systems make up anew. */
function isSame(a: Seen, b: Seen): boolean {
  if (a === 'absent' || b === 'absent') return a === b
  return a.size === b.size && Math.abs(a.mtimeMs - b.mtimeMs) <= TIME_GRAIN_MS
}

function openAlready(key: string): DataferryError {
  return new DataferryError('SINK_BUSY', `A stage of ${key} is open in this process.`)
}

async function* chunksOf(
  handle: FileHandle,
  path: string,
  volume: Volume,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    const { size } = await handle.stat()
    for (let position = 0; ;) {
      signal.throwIfAborted()
      // A new buffer each time, as the stream's reader may keep it; no larger than needed, as millions of small files may follow.
      const length = Math.min(CHUNK_SIZE, Math.max(size - position, END_SIZE))
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, position)
      if (bytesRead === 0) return
      position += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } catch (error) {
    throw await volume.explain(error, `read ${path}`)
  }
}

/** Regular files below a folder. Does not follow links; files that vanish meanwhile are left out. */
async function* walk(
  root: string,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<{ path: string; size: number }> {
  const entries = await unless(ABSENT, opendir(join(root, folder)))
  if (!entries) return
  let files: string[] = []
  let isUnclear = false
  const isReplaced = (name: string): boolean => name.includes(REPLACED)
  for await (const entry of entries) {
    signal.throwIfAborted()
    if (isReplaced(entry.name)) {
      isUnclear = true
      continue
    }
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && path !== RECORDS_FOLDER) yield* walk(root, path, signal)
    if (entry.isFile()) files.push(path)
    if (files.length < LIST_BATCH) continue
    yield* sizes(root, files)
    files = []
  }
  yield* sizes(root, files)
  if (isUnclear) yield* walkByBytes(Buffer.from(join(root, folder)), folder, signal, isReplaced)
}

async function* sizes(root: string, paths: readonly string[]): AsyncGenerator<{ path: string; size: number }> {
  const stats = await Promise.all(
    paths.map(async (path) => ({ path, stats: await unless(ABSENT, lstat(join(root, path))) })),
  )
  for (const { path, stats: found } of stats) if (found) yield { path, size: found.size }
}
