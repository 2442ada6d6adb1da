import type { FileHandle } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { DataferryError } from '../../errors.ts'
import type { Hash } from '../../model/hash.ts'
import { readAhead, writeAt } from './bytes.ts'
import type { PartClaim } from './part-claims.ts'
import { parentOf } from './folders.ts'
import type { Volume } from './volume.ts'
import type { Workspace } from './workspace.ts'
import type { Proof, Stage } from '../sink.ts'

/**
 * One part on its way to a path on disk. Holds its claim from beginning to end:
 *
 * - *open*: `claim.handle` may be written; a fenced claim is first replaced by a copy
 * - *committed*: the part has become the file
 * - *closed*: the part is free for the next stage, or dropped if it is empty
 */
export class DiskStage implements Stage {
  readonly #workspace: Workspace
  readonly #volume: Volume
  readonly #path: string
  readonly #onEnd: (clean: boolean) => void
  #claim: PartClaim
  #length: number
  #state: 'open' | 'committed' | 'closed' = 'open'
  #confirmedAt = performance.now()
  #discard = false

  /**
   * @param length bytes in the claimed part
   * @param onEnd is told whether neither part nor mark is left
   */
  constructor(
    workspace: Workspace,
    volume: Volume,
    path: string,
    claim: PartClaim,
    length: number,
    onEnd: (clean: boolean) => void,
  ) {
    this.#workspace = workspace
    this.#volume = volume
    this.#path = path
    this.#claim = claim
    this.#length = length
    this.#onEnd = onEnd
  }

  async resume(hash: Hash, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted()
    return this.#volume.run(`read the part of ${this.#path}`, async () => {
      if (this.#claim.fenced) await this.#copy(signal, (chunk) => hash.update(chunk))
      else this.#length = await feed(this.#claim.handle, this.#length, signal, (chunk) => hash.update(chunk))
      return this.#length
    })
  }

  async restart(): Promise<0> {
    return this.#volume.run<0>(`empty the part of ${this.#path}`, async () => {
      const { claims } = this.#workspace
      if (this.#claim.fenced) this.#claim = await claims.replace(this.#claim, await claims.prepare(this.#claim.key))
      else if (this.#length > 0) await this.#claim.handle.truncate(0)
      this.#length = 0
      return 0
    })
  }

  async append(chunks: AsyncIterable<Uint8Array>, _hash: Hash, signal: AbortSignal): Promise<void> {
    await this.#unfence(signal)
    try {
      for await (const chunk of chunks) {
        signal.throwIfAborted()
        await this.#volume.run(`write ${this.#path}`, () => this.#write(chunk))
      }
      signal.throwIfAborted()
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  }

  async commit(proof: Proof): Promise<void> {
    await this.#unfence(new AbortController().signal)
    if (proof.size !== this.#length) {
      throw new DataferryError('SINK_FAILED', `The part of ${this.#path} has ${this.#length} bytes, not ${proof.size}.`)
    }
    await this.#volume.run(`publish ${this.#path}`, () => this.#publish(proof))
  }

  /** Drops the part when the stage is closed. */
  discard(): void {
    this.#discard = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'closed'
    // A claim that cannot be given up because the disk is away is ours when it is back, or left as by a dead process.
    await this.#giveUp().catch(() => undefined)
    this.#onEnd(false)
  }

  async #giveUp(): Promise<void> {
    const { handle } = this.#claim
    const { size } = await handle.stat().finally(() => handle.close())
    if (size === 0 || this.#discard) await this.#workspace.claims.drop(this.#claim)
    else await this.#workspace.claims.release(this.#claim)
  }

  async #write(chunk: Uint8Array): Promise<void> {
    const now = performance.now()
    if (now - this.#confirmedAt > this.#workspace.heartbeat.everyMs) {
      // A process that slept and lost its part should not fetch the rest in vain.
      await this.#workspace.claims.confirm(this.#claim)
      this.#confirmedAt = now
    }
    try {
      await writeAt(this.#claim.handle, chunk, this.#length)
      this.#length += chunk.length
    } catch (error) {
      // What fitted is kept; `resume` counts it.
      this.#length = (await this.#claim.handle.stat()).size
      throw error
    }
  }

  /** From here on, a crash leaves either the part or the whole file. */
  async #publish(proof: Proof): Promise<void> {
    const { claims, folders, marks } = this.#workspace
    const folder = parentOf(this.#path)
    await Promise.all([this.#sync(), folders.make(folder)])
    // Files with a published checksum need no mark: reading them again proves as much.
    if (proof.verified !== 'checksum') await marks.write(this.#claim.key, this.#path, proof, this.#claim.handle)
    let isDurable = false
    try {
      await folders.change(folder, async (path) => {
        await claims.commit(this.#claim, join(path, basename(this.#path)))
        this.#state = 'committed'
      })
      isDurable = true
    } finally {
      if (this.#state === 'committed') {
        const left = Promise.all([claims.leave(this.#claim), this.#claim.handle.close()])
        await left.finally(() => this.#onEnd(isDurable && proof.verified === 'checksum'))
      }
    }
  }

  /**
   * After a failed sync the system may mark pages clean that never reached the disk, and the next sync would succeed. What
   * was written is from then on only copied, which rewrites all of it, and hashed on the way.
   */
  async #sync(): Promise<void> {
    try {
      await this.#claim.handle.datasync()
    } catch (error) {
      this.#claim = await this.#workspace.claims.fence(this.#claim)
      throw error
    }
  }

  async #unfence(signal: AbortSignal): Promise<void> {
    if (this.#claim.fenced) {
      await this.#volume.run(`copy the part of ${this.#path}`, () => this.#copy(signal, () => Promise.resolve()))
    }
  }

  /** Copies the part out of reach of its former process, passing every copied byte to `see`. */
  async #copy(signal: AbortSignal, see: (chunk: Uint8Array) => Promise<void>): Promise<void> {
    const { claims } = this.#workspace
    const copy = await claims.prepare(this.#claim.key)
    let position = 0
    try {
      await feed(this.#claim.handle, this.#length, signal, async (chunk) => {
        await Promise.all([writeAt(copy.handle, chunk, position), see(chunk)])
        position += chunk.length
      })
    } catch (error) {
      await claims.abandon(copy)
      throw error
    }
    this.#claim = await claims.replace(this.#claim, copy)
    this.#length = position
  }
}

/** Passes the first `length` bytes of a file to `see`. @returns their count */
async function feed(
  handle: FileHandle,
  length: number,
  signal: AbortSignal,
  see: (chunk: Uint8Array) => Promise<void>,
): Promise<number> {
  if (length === 0) return 0
  let count = 0
  for await (const chunk of readAhead(handle, length, signal)) {
    await see(chunk)
    count += chunk.length
  }
  return count
}
