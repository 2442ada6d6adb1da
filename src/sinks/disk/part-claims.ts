import { constants } from 'node:fs'
import { access, mkdir, open, readdir, rename, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { DataferryError, systemCode } from '../../errors.ts'
import { openPlain } from './bytes.ts'
import { ABSENT, OCCUPIED, unless } from './errors.ts'
import { ALIVE, type Heartbeat } from './heartbeat.ts'
import { isOwner, ownerLiveness, type OwnerId } from '../../process/process-identity.ts'

/** The owner part of the name once its stage was closed: any process may take it. */
const FREE = 'free'
/** `<owner>.<turn>.<state>`, or `free.<state>`. */
const CLAIM = /^(?:free|([0-9a-f-]+)\.[0-9a-z]+)\.(part|fenced)$/
/** `.<owner>.<turn>`: a folder being prepared; `.<owner>.<turn>.tmp`: a record being written. */
const UNFINISHED = /^\.([0-9a-f-]+)\.[0-9a-z]+(?:\.tmp)?$/
/** Each failed round means that another process succeeded. */
const ROUNDS = 8

/** The state of a part's holder: closed, its process has ended, is beating, or has not beaten for too long. */
export type Holder = 'free' | 'dead' | 'live' | 'stale'

/** A part that is ours for as long as its name is there. */
export interface PartClaim {
  readonly key: string
  /** The file's path now. */
  readonly path: string
  /** Another process may still write to this very file, or a sync of it failed: only a copy can be trusted. */
  readonly fenced: boolean
  /** Open for reading, and for writing unless fenced. The holder of the claim closes it. */
  readonly handle: FileHandle
  /** Just created: empty. */
  readonly fresh: boolean
}

/** A part on disk, for lists. */
export interface Occupant {
  readonly path: string
  /** `free`, or its owner. */
  readonly owner: OwnerId
  readonly state: 'part' | 'fenced'
}

/**
 * Decides who may write the part of a key: one owner among all processes on all hosts that see this folder.
 *
 * `parts/<key>/` is a folder with exactly one file, whose name says who owns it, or it is empty or missing:
 *
 * - *absent*: no such folder, or an empty one
 * - *held* `<owner>.<turn>.part`: one stage writes it; `turn` counts that owner's claims, so that no name comes twice
 * - *fenced* `<owner>.<turn>.fenced`: held, but an earlier owner may wake up and write to this inode, or a sync of it failed
 * - *free* `free.part`, `free.fenced`: closed without commit; the bytes are kept
 *
 * and every step is one rename or unlink, which the file system gives to one process only:
 *
 * - absent → held: a prepared folder with the part in it is renamed to `parts/<key>`; that fails unless absent
 * - free → held, held by a dead process → held: the file is renamed; same inode, no other process writes to it
 * - held, a sync failed → fenced: renamed by its own stage, since the system may have lost its content
 * - held by a process without heartbeat → fenced: the file is renamed, so that its commit does not find it
 * - fenced → held: the bytes are copied to a prepared folder, the fenced file is unlinked, then absent → held
 * - held → absent: commit renames the file to its path in the destination, dropping unlinks it
 * - held → free: dispose renames the file
 *
 * A rename or unlink whose file is gone means that the claim was lost, and nothing has been changed. Old names never
 * come back, so a slow process can never touch another process's file.
 */
export class PartClaims {
  readonly #folder: string
  readonly #owner: OwnerId
  readonly #heartbeat: Heartbeat
  #turn = 0

  /** @param folder absolute path of `parts`, which must exist */
  constructor(folder: string, owner: OwnerId, heartbeat: Heartbeat) {
    this.#folder = folder
    this.#owner = owner
    this.#heartbeat = heartbeat
  }

  /** Claims the part of a key. Rejects with `SINK_BUSY` when a live owner has it. */
  async take(key: string): Promise<PartClaim> {
    await this.#heartbeat.start()
    const fresh = await this.prepare(key)
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const installed = await this.#install(fresh)
        if (installed) return installed
        const taken = await this.#seize(key)
        if (taken) {
          await this.abandon(fresh)
          return taken
        }
      }
      throw busy(key, 'other processes keep taking it first')
    } catch (error) {
      await this.abandon(fresh)
      throw error
    }
  }

  /** Creates an empty part in a folder of its own, to be installed or abandoned. */
  async prepare(key: string): Promise<PartClaim> {
    const name = this.#name('part')
    const folder = join(this.#folder, `.${name.slice(0, -'.part'.length)}`)
    const path = join(folder, name)
    await mkdir(folder)
    try {
      return { key, path, fenced: false, handle: await open(path, 'wx+'), fresh: true }
    } catch (error) {
      await rmdir(folder)
      throw error
    }
  }

  /** A path for a temporary file on the same file system, which others remove when this process dies. */
  temporary(): string {
    return join(this.#folder, `.${this.#name('tmp')}`)
  }

  /** Drops a prepared part. */
  async abandon(prepared: PartClaim): Promise<void> {
    await prepared.handle.close()
    await rm(dirname(prepared.path), { recursive: true, force: true })
  }

  /**
   * Replaces the fenced part by a prepared copy. Rejects with `SINK_BUSY` if the part was lost; the copy is then
   * abandoned.
   */
  async replace(fenced: PartClaim, copy: PartClaim): Promise<PartClaim> {
    try {
      const unlinked = await unless(
        ['ENOENT'],
        unlink(fenced.path).then(() => true),
      )
      // In between, the key is absent and another process may claim it: then only these bytes are lost.
      const installed = unlinked && (await this.#install(copy))
      if (!installed) throw busy(fenced.key, 'another process took it over')
      await fenced.handle.close()
      return installed
    } catch (error) {
      await this.abandon(copy)
      throw error
    }
  }

  /** Publishes the part at an absolute path. The handle stays open. Rejects with `SINK_BUSY` when the claim was lost. */
  async commit(claim: PartClaim, destination: string): Promise<void> {
    try {
      await rename(claim.path, destination)
    } catch (error) {
      await this.confirm(claim)
      throw error
    }
  }

  /** Marks our own part as one that must not be trusted as it is. */
  async fence(claim: PartClaim): Promise<PartClaim> {
    const path = join(dirname(claim.path), this.#name('fenced'))
    const renamed = await rename(claim.path, path).then(
      () => true,
      () => false,
    )
    // If the disk fails here too, at least this process knows.
    return { ...claim, path: renamed ? path : claim.path, fenced: true }
  }

  /** Cleans up after a commit: removes the folder of the key, unless another process has claimed the key by now. */
  async leave(claim: PartClaim): Promise<void> {
    await unless([...ABSENT, ...OCCUPIED], rmdir(join(this.#folder, claim.key)))
  }

  /** Rejects with `SINK_BUSY` when the claim was lost. */
  async confirm(claim: PartClaim): Promise<void> {
    const names = await unless(ABSENT, readdir(dirname(claim.path)))
    if (names?.includes(basename(claim.path))) return
    // The folder of a key that was taken over may be gone by now; the folder of all parts only if the disk is.
    await access(this.#folder)
    throw busy(claim.key, 'another process took it over')
  }

  /** Gives up the part and keeps its bytes. A lost claim is not an error. The caller closes the handle first. */
  async release(claim: Pick<PartClaim, 'path' | 'fenced'>): Promise<void> {
    const state = claim.fenced ? 'fenced' : 'part'
    await unless(ABSENT, rename(claim.path, join(dirname(claim.path), `${FREE}.${state}`)))
  }

  /** Gives up the part and removes it. A lost claim is not an error. */
  async drop(claim: PartClaim): Promise<void> {
    await unless(ABSENT, unlink(claim.path))
    await this.leave(claim)
  }

  /** Removes the part of a key, unless a live owner has it. */
  async remove(key: string): Promise<void> {
    const occupant = await this.occupant(key)
    if (!occupant || (await this.holder(occupant)) === 'live') return
    await unless(ABSENT, unlink(occupant.path))
    await unless([...ABSENT, ...OCCUPIED], rmdir(join(this.#folder, key)))
  }

  /** Keys that have a folder here. */
  async keys(): Promise<readonly string[]> {
    const entries = await readdir(this.#folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map((entry) => entry.name)
  }

  /** The part of a key; undefined: absent. Rejects with `SINK_FAILED` when only foreign files are there. */
  async occupant(key: string): Promise<Occupant | undefined> {
    const folder = join(this.#folder, key)
    const names = (await unless(['ENOENT'], readdir(folder))) ?? []
    for (const name of names) {
      const [, owner, state] = CLAIM.exec(name) ?? []
      if (state === 'part' || state === 'fenced') return { path: join(folder, name), owner: owner ?? FREE, state }
    }
    if (names.length === 0) return undefined
    throw new DataferryError('SINK_FAILED', `There are foreign files in ${folder}: move them away.`)
  }

  async holder({ owner }: Pick<Occupant, 'owner'>): Promise<Holder> {
    if (owner === FREE) return 'free'
    if ((await ownerLiveness(owner)) === 'dead') return 'dead'
    return (await this.#heartbeat.isStale(owner)) ? 'stale' : 'live'
  }

  /**
   * Removes what processes that died or froze left unfinished: prepared folders, temporary files, heartbeats, and
   * the empty folders of keys that had just been committed.
   */
  async tidy(): Promise<void> {
    for (const key of await this.keys()) await unless([...ABSENT, ...OCCUPIED], rmdir(join(this.#folder, key)))
    for (const name of await readdir(this.#folder)) {
      const owner = name.endsWith(ALIVE) ? name.slice(0, -ALIVE.length) : UNFINISHED.exec(name)?.[1]
      if (owner === undefined || owner === this.#owner || !isOwner(owner)) continue
      if ((await this.holder({ owner })) === 'live') continue
      await rm(join(this.#folder, name), { recursive: true, force: true })
    }
  }

  /** A name that is used once: `<owner>.<turn>.<kind>`. */
  #name(kind: 'part' | 'fenced' | 'tmp'): string {
    return `${this.#owner}.${(this.#turn++).toString(36)}.${kind}`
  }

  /** Renames the prepared folder into place; undefined when the key is not absent. */
  async #install(prepared: PartClaim): Promise<PartClaim | undefined> {
    const folder = join(this.#folder, prepared.key)
    try {
      await rename(dirname(prepared.path), folder)
    } catch (error) {
      if (OCCUPIED.includes(systemCode(error) ?? '')) return undefined
      throw error
    }
    return { ...prepared, path: join(folder, basename(prepared.path)) }
  }

  /** Takes a part that no live process has; undefined if its owner changed meanwhile. */
  async #seize(key: string): Promise<PartClaim | undefined> {
    const occupant = await this.occupant(key)
    if (!occupant) return undefined
    const holder = occupant.owner === this.#owner ? 'free' : await this.holder(occupant)
    if (holder === 'live') throw busy(key, 'another live process holds it')
    const fenced = holder === 'stale' || occupant.state === 'fenced'
    const path = join(this.#folder, key, this.#name(fenced ? 'fenced' : 'part'))
    const renamed = await unless(
      ['ENOENT'],
      rename(occupant.path, path).then(() => true),
    )
    if (!renamed) return undefined
    try {
      // A part must be a plain file, not a link.
      const handle = await openPlain(path, fenced ? constants.O_RDONLY : constants.O_RDWR)
      return { key, path, fenced, handle, fresh: false }
    } catch (error) {
      await this.release({ path, fenced })
      throw error
    }
  }
}

function busy(key: string, why: string): DataferryError {
  return new DataferryError('SINK_BUSY', `The part of ${key} cannot be taken: ${why}.`)
}
