import { randomBytes } from 'node:crypto'
import { readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { every, type Repeated } from '../../async/every.ts'
import { messageOf, systemCode } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { connect } from '../connection.ts'
import { prepareFolder, type EmbeddedFolder } from './folder.ts'
import { age, listens, moved, startServer, stopServer, UNSEEN_MS, type ServerOptions } from './server.ts'
import { takeLock } from './generation-lock.ts'
import { startKeeper } from './keeper.ts'
import { redisName, stateError } from '../redis-error.ts'
import type { Wait } from '../../model/notice.ts'
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
  /** Told what is waited for while the server cannot be kept up, and undefined when it can again. */
  readonly tell?: (wait: Wait | undefined) => void
}

export interface EmbeddedRedis {
  readonly url: string
  /** Leaves the server; the last process to leave stops it. May be repeated. */
  release(): Promise<void>
}

const PATIENCE_MS = 60_000
const HEAL_MS = 2_000
/** A keeper that has left out so many is taken for dead. */
const MISSED_BEATS = 3

/**
 * Gives this process a private Redis: starts one, or joins the one that other processes on this state folder use.
 *
 * - joined: this process has a file in `clients/`; a server that dies is restarted within seconds
 * - left: the file is gone; the last one to leave stops the server
 * - killed: the file stays but does not count, as its process is dead; a keeper stops the server when only such are left
 *
 * The server has a session of its own, so signals to a terminal do not reach it, and no TCP port. Its folder is ours
 * alone (0700). Rejects with `REDIS_UNAVAILABLE` when there is no binary or it does not start, and with `STATE_UNAVAILABLE` when
 * the folder cannot be used, saying what to do.
 */
export async function startEmbeddedRedis(options: EmbeddedOptions): Promise<EmbeddedRedis> {
  const { path, stateDir, keeperSeconds = 15, log, tell } = options
  const binary = options.binary ?? (await findRedisBinary(path))
  if (binary === undefined) throw await noRedisBinary()
  try {
    const folder = await prepareFolder(stateDir)
    const member = new Member(folder, { binary, path, keeperSeconds, log }, stateDir, tell)
    await member.join()
    return { url: socketUrl(folder.socket), release: () => member.leave() }
  } catch (error) {
    throw stateError(error, stateDir)
  }
}

class Member {
  readonly #folder: EmbeddedFolder
  readonly #options: ServerOptions
  #file = ''
  #healing: Repeated | undefined
  #leaving: Promise<void> | undefined
  readonly #stateDir: string
  readonly #tell: (wait: Wait | undefined) => void
  #awaySince: Date | undefined

  constructor(
    folder: EmbeddedFolder,
    options: ServerOptions,
    stateDir: string,
    tell: EmbeddedOptions['tell'] = () => undefined,
  ) {
    this.#folder = folder
    this.#options = options
    this.#stateDir = stateDir
    this.#tell = tell
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
      async () => {
        await this.#heal()
        this.#awaySince = undefined
        this.#tell(undefined)
      },
      (error) => {
        this.#options.log?.warn({ problem: messageOf(error) }, 'The embedded Redis could not be checked')
        const since = (this.#awaySince ??= new Date())
        const what = redisName({ url: socketUrl(this.#folder.socket), folder: this.#stateDir })
        const reason = messageOf(stateError(error, this.#stateDir))
        this.#tell({ what, reason, since, nextLook: new Date(Date.now() + HEAL_MS) })
      },
    )
  }

  leave(): Promise<void> {
    // On a disk that takes no changes the file stays; it counts for nothing once this process has ended.
    this.#leaving ??= this.#leave().catch((error: unknown) => {
      if (systemCode(error) === undefined) throw error
    })
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
    if (this.#leaving) return
    if (await listens(this.#folder.socket)) return this.#keepKept()
    this.#options.log?.warn('The embedded Redis no longer listens; restarting it')
    await this.#ensure()
  }

  /** A server whose keeper was killed would outlive those that use it. */
  async #keepKept(): Promise<void> {
    const { path, keeperSeconds: everySeconds } = this.#options
    const { beat, server } = this.#folder
    if ((await age(beat)) < MISSED_BEATS * everySeconds * 1_000 + HEAL_MS) return
    const redis = await readIdentity(server)
    if (redis && (await livenessOf(redis)) === 'alive')
      startKeeper(this.#folder, redis.pid, { path, space: redis.space, everySeconds })
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
