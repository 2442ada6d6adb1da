import { constants } from 'node:fs'
import { unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { every, type Repeated } from '../../async/every.ts'
import { openPlain } from './bytes.ts'
import { ABSENT, unless } from './errors.ts'
import type { OwnerId } from '../../process/process-identity.ts'

/** Suffix of the file whose modification time says when its owner was last alive. */
export const ALIVE = '.alive'

const NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL

export interface HeartbeatTimes {
  /** Between two beats. */
  readonly everyMs: number
  /** An owner without a beat for this long may lose its parts. */
  readonly staleMs: number
}

/**
 * Shows other processes, on any host, that this owner is alive: `<owner>.alive` is written every few seconds.
 * One file serves all stages of a sink, so that a small file costs no beat of its own.
 *
 * Times are compared with the modification time of our own file, written at that moment on the same file system: one
 * clock, the file system's, sets them all. That is why a beat writes a byte, as `utimes` would set this host's time.
 */
export class Heartbeat {
  readonly #folder: string
  readonly #owner: OwnerId
  readonly #times: HeartbeatTimes
  #beating: Repeated | undefined
  #beatAt = Number.NEGATIVE_INFINITY

  constructor(folder: string, owner: OwnerId, times: HeartbeatTimes) {
    this.#folder = folder
    this.#owner = owner
    this.#times = times
  }

  get everyMs(): number {
    return this.#times.everyMs
  }

  /** Puts a fresh beat on disk before a claim is made, and keeps beating. Does not keep the process alive. */
  async start(): Promise<void> {
    if (performance.now() - this.#beatAt >= this.#times.everyMs) await this.#beat()
    // A missed beat can only cost this process its parts, and the next one may succeed.
    this.#beating ??= every(
      this.#times.everyMs,
      async () => {
        await this.#beat()
      },
      () => undefined,
    )
  }

  /** Whether `owner` has not beaten for too long, or never. */
  async isStale(owner: OwnerId): Promise<boolean> {
    const last = await lastBeat(join(this.#folder, owner + ALIVE))
    if (last === undefined) return true
    return (await this.#beat()) - last >= this.#times.staleMs
  }

  async stop(): Promise<void> {
    // The file is removed only after the last beat.
    await this.#beating?.stop()
    this.#beating = undefined
    this.#beatAt = Number.NEGATIVE_INFINITY
    await unless(ABSENT, unlink(join(this.#folder, this.#owner + ALIVE)))
  }

  /** @returns the time of this beat, by the file system's clock. */
  async #beat(): Promise<number> {
    const path = join(this.#folder, this.#owner + ALIVE)
    // Overwriting the one byte needs no space, so a full disk does not make us look dead.
    const handle = (await unless(['ENOENT'], openPlain(path, constants.O_RDWR))) ?? (await openPlain(path, NEW))
    try {
      await handle.write('.', 0)
      this.#beatAt = performance.now()
      return (await handle.stat()).mtimeMs
    } finally {
      await handle.close()
    }
  }
}

/** Opened, not only looked up: on NFS only that asks the server instead of a cache (nfs(5), close-to-open). */
async function lastBeat(path: string): Promise<number | undefined> {
  const handle = await unless(ABSENT, openPlain(path, constants.O_RDONLY))
  if (!handle) return undefined
  try {
    return (await handle.stat()).mtimeMs
  } finally {
    await handle.close()
  }
}
