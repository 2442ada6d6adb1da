import { open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolders } from '../../make-folders.ts'
import { isOwner, newOwner, ownerLiveness, ownProcess } from '../../process/process-identity.ts'
import { ABSENT, unless } from '../../sinks/disk/errors.ts'
import { syncFolder } from '../../sinks/disk/folders.ts'
import { Heartbeat } from '../../sinks/disk/heartbeat.ts'
import { diskTree } from '../tree.ts'
import { readBegun, type BegunVersion } from './begun-version.ts'
import { EXTENSIONS } from './objects.ts'

const PREFIX = 'dataferry-staging-'
/** Says which version is about to show. */
const RECORD = 'publishing.json'
const TIMES = { everyMs: 5_000, staleMs: 30_000 }

/** A folder in `extensions` of a storage root in which something grows. Its name and a heartbeat tell others whether its process lives. */
export class Staging implements AsyncDisposable {
  /** Of what grows. */
  readonly folder: string
  readonly #place: string
  readonly #heartbeat: Heartbeat

  private constructor(place: string, heartbeat: Heartbeat) {
    this.folder = join(place, 'new')
    this.#place = place
    this.#heartbeat = heartbeat
  }

  static async make(root: string): Promise<Staging> {
    const owner = newOwner(await ownProcess())
    const place = join(root, EXTENSIONS, PREFIX + owner)
    await makeFolders(join(place, 'new'))
    return Staging.#owned(place, owner)
  }

  /** What dead processes left, and is this one's from now on. */
  static async *abandoned(root: string): AsyncGenerator<Staging, void> {
    for (const name of await foldersOf(root)) {
      const place = join(root, EXTENSIONS, name)
      if (!(await isAbandoned(place, name.slice(PREFIX.length)))) continue
      const owner = newOwner(await ownProcess())
      const taken = join(root, EXTENSIONS, PREFIX + owner)
      // Of several that see it one gets it, and a process that was only frozen finds nothing where it goes on.
      const isTaken = await unless(
        ABSENT,
        rename(place, taken).then(() => true),
      )
      if (isTaken) yield await Staging.#owned(taken, owner)
    }
  }

  /** Versions that are between the first step and the last one of being shown. */
  static async *showing(root: string): AsyncGenerator<BegunVersion, void> {
    for (const name of await foldersOf(root)) {
      const place = join(root, EXTENSIONS, name)
      const begun = await readRecord(place)
      const left = begun && (await unless(ABSENT, readdir(join(place, 'new'))))
      if (left && left.length > 0 && !left.includes(begun.version)) yield begun
    }
  }

  static async #owned(place: string, owner: string): Promise<Staging> {
    const heartbeat = new Heartbeat(place, owner, TIMES)
    await heartbeat.start()
    return new Staging(place, heartbeat)
  }

  /** Notes, durable, what is about to leave the folder. */
  async note(begun: BegunVersion): Promise<void> {
    await writeSynced(join(this.#place, RECORD), JSON.stringify(begun))
    await syncFolder(this.#place)
  }

  /** The version of which something has left the folder; undefined: nothing of it shows. */
  async begun(): Promise<BegunVersion | undefined> {
    const begun = await readRecord(this.#place)
    const left = begun && (await unless(ABSENT, readdir(this.folder)))
    return left?.includes(begun?.version ?? '') === true ? undefined : begun
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#heartbeat.stop()
    await rm(this.#place, { recursive: true, force: true })
  }
}

async function foldersOf(root: string): Promise<readonly string[]> {
  const names = (await unless(ABSENT, readdir(join(root, EXTENSIONS)))) ?? []
  return names.filter((name) => name.startsWith(PREFIX) && isOwner(name.slice(PREFIX.length)))
}

/** Where it cannot be told whether a process lives, on another machine or before a restart of this one, its heartbeat decides. */
async function isAbandoned(place: string, owner: string): Promise<boolean> {
  const liveness = await ownerLiveness(owner)
  if (liveness !== 'unknown') return liveness === 'dead'
  const look = new Heartbeat(place, newOwner(await ownProcess()), TIMES)
  try {
    return (await unless(ABSENT, look.isStale(owner))) ?? false
  } finally {
    await look.stop()
  }
}

async function readRecord(place: string): Promise<BegunVersion | undefined> {
  const chunks = await diskTree(place).read(RECORD)
  return chunks && unless(ABSENT, readBegun(chunks))
}

/** Writes a small file that is durable under its name once its folder is synced. */
export async function writeSynced(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'w')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}
