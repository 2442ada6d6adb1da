import { randomBytes } from 'node:crypto'
import { readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { every, type Repeated } from '../../async/every.ts'
import { messageOf } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { connect } from '../connection.ts'
import { inStateFolder, prepareFolder, type EmbeddedFolder } from './folder.ts'
import { age, listens, moved, startServer, stopServer, UNSEEN_MS, type ServerOptions } from './server.ts'
import { takeLock } from './generation-lock.ts'
import { livenessOf, ownProcess, readIdentity } from '../../process/process-identity.ts'
import { findRedisBinary, noRedisBinary } from './redis-binary.ts'
import { socketUrl } from '../redis-url.ts'

export interface EmbeddedOptions {
  /** Folder of this user's state; `redis/` is created in it, with the data, the log and the socket. */
  readonly stateDir: string
  /** Folders to look for the binary in, in the form of `PATH`. */
  readonly path: string
  /** The binary itself, when it is not on `path`. */
  readonly binary?: string
  /** How often to look for an abandoned server, which is stopped at the second look in a row. Default: 15. */
  readonly keeperSeconds?: number
  readonly log?: Logger
}

export interface EmbeddedRedis {
  readonly url: string
  /** Leaves the server; the last process to leave stops it. May be repeated. */
  release(): Promise<void>
}

const PATIENCE_MS = 60_000
const HEAL_MS = 2_000

/**
 * Gives this process a private Redis: starts one, or joins the one that other processes on this state folder use.
 *
 * - joined: this process has a file in `clients/`; a server that dies is restarted within seconds
 * - left: the file is gone; the last one to leave stops the server
 * - killed: the file stays but does not count, as its process is dead; a keeper stops the server when only such are left
 *
 * The server has a session of its own, so signals from a terminal do not reach it, and no TCP port. Its folder belongs to this user
 * alone (0700). Rejects with `REDIS_UNAVAILABLE` when there is no binary, the folder cannot be used or it does not start,
 * saying what to do.
 */
export async function startEmbeddedRedis(options: EmbeddedOptions): Promise<EmbeddedRedis> {
  const binary = options.binary ?? (await findRedisBinary(options.path))
  if (binary === undefined) throw await noRedisBinary()
  return inStateFolder(options.stateDir, async () => {
    const folder = await prepareFolder(options.stateDir)
    const member = new Member(folder, { binary, keeperSeconds: options.keeperSeconds ?? 15, log: options.log })
    await member.join()
    return { url: socketUrl(folder.socket), release: () => member.leave() }
  })
}

class Member {
  readonly #folder: EmbeddedFolder
  readonly #options: ServerOptions
  #file = ''
  #healing: Repeated | undefined
  #leaving: Promise<void> | undefined

  constructor(folder: EmbeddedFolder, options: ServerOptions) {
    this.#folder = folder
    this.#options = options
  }

  async join(): Promise<void> {
    const { space, pid } = await ownProcess()
    this.#file = join(this.#folder.clients, `${space}.${randomBytes(4).toString('hex')}.${pid}`)
    try {
      await this.#ensure()
    } catch (error) {
      await rm(this.#file, { force: true })
      throw error
    }
    this.#healing = every(
      HEAL_MS,
      () => this.#heal(),
      (error) => this.#options.log?.warn({ problem: messageOf(error) }, 'The embedded Redis could not be checked'),
    )
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  /** Registers before it looks for the server: see the keeper for why the order matters. */
  async #ensure(): Promise<void> {
    const { root, socket } = this.#folder
    await writeFile(this.#file, JSON.stringify(await ownProcess()), { mode: 0o600 })
    if (!(await listens(socket))) {
      const unlock = await takeLock(root, PATIENCE_MS)
      try {
        await startServer(this.#folder, this.#options)
      } finally {
        await unlock()
      }
    }
    // The server may listen while it still reads its files; its first answer shows that it is ready.
    const client = await connect({ url: socketUrl(socket), role: 'producer', patienceMs: PATIENCE_MS })
    client.disconnect()
  }

  async #heal(): Promise<void> {
    const now = new Date()
    await utimes(this.#file, now, now)
    if (this.#leaving || (await listens(this.#folder.socket))) return
    this.#options.log?.warn('The embedded Redis no longer listens; restarting it')
    await this.#ensure()
  }

  async #leave(): Promise<void> {
    await this.#healing?.stop()
    await rm(this.#file, { force: true })
    if (await this.#someoneElse()) return
    const { socket, closing, server } = this.#folder
    const redis = await readIdentity(server)
    // One that cannot be seen from here is left to its keeper; and of several that leave at once only one can rename the socket.
    if (!redis || (await livenessOf(redis)) !== 'alive' || !(await moved(socket, closing))) return
    if (await this.#someoneElse()) await moved(closing, socket)
    else await stopServer(this.#folder, redis)
  }

  async #someoneElse(): Promise<boolean> {
    for (const name of await readdir(this.#folder.clients)) {
      const file = join(this.#folder.clients, name)
      const client = await readIdentity(file)
      const life = client ? await livenessOf(client) : 'unknown'
      if (life === 'alive' || (life === 'unknown' && (await age(file)) < UNSEEN_MS)) return true
    }
    return false
  }
}
