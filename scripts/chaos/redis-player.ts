import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../src/queue/connection.ts'
import { findRedisBinary } from '../../src/queue/embedded/redis-binary.ts'
import { socketUrl } from '../../src/queue/redis-url.ts'

/** A busy machine may take minutes to start it on a file that has grown. */
const LOADING_MS = 600_000

/** A Redis of its own with an append-only file, which can be killed, cut back and started again on the same file. */
export class RedisPlayer {
  readonly url: string
  readonly #binary: string
  readonly #folder: string
  readonly #socket: string
  #server: ChildProcess | undefined
  kills = 0
  /** Kills after which the end of the append-only file was lost too. */
  cuts = 0

  private constructor(binary: string, folder: string) {
    this.#binary = binary
    this.#folder = folder
    this.#socket = join(folder, 's')
    this.url = socketUrl(this.#socket)
  }

  /** @param folder is made; its path must be short, as it holds a socket */
  static async start(folder: string): Promise<RedisPlayer> {
    const binary = await findRedisBinary(process.env['PATH'] ?? '')
    if (binary === undefined) throw new Error('This needs redis-server or valkey-server on the PATH.')
    await mkdir(folder, { recursive: true })
    const player = new RedisPlayer(binary, folder)
    await player.#start()
    return player
  }

  /** Kills it, takes up to `cutBytes` off the end of its append-only file, and starts it again after a while. */
  async killAndRestart(awayMs: number, cutBytes: number): Promise<void> {
    this.kills += 1
    await this.stop()
    if (cutBytes > 0) await this.#cut(cutBytes)
    await sleep(awayMs)
    await this.#start()
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const exit = once(server, 'exit')
    server.kill('SIGKILL')
    await exit
  }

  async #start(): Promise<void> {
    const aof = ['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '']
    const quiet = ['--loglevel', 'warning', '--logfile', join(this.#folder, 'log')]
    const where = ['--port', '0', '--unixsocket', this.#socket, '--dir', this.#folder]
    this.#server = spawn(this.#binary, [...where, ...aof, ...quiet], { stdio: 'ignore' })
    const client = await connect({ url: this.url, role: 'worker', patienceMs: LOADING_MS })
    client.disconnect()
  }

  /** As a machine that loses its power: what was written last never reached the disk. */
  async #cut(bytes: number): Promise<void> {
    const folder = join(this.#folder, 'appendonlydir')
    const [newest] = (await readdir(folder))
      .filter((name) => name.endsWith('.incr.aof'))
      .sort()
      .reverse()
    if (newest === undefined) return
    const path = join(folder, newest)
    const { size } = await stat(path)
    await truncate(path, Math.max(0, size - bytes))
    this.cuts += 1
  }
}
