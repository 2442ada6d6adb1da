import { hash } from 'node:crypto'
import { DataferryError } from '../../errors.ts'
import type { Sink, Stage, StageOptions } from '../../sinks/sink.ts'
import { inMemory } from '../pack/pack-entry.ts'
import { fill, putFile, stageOptions } from '../put-file.ts'
import { storedTree, wholeFile, type TreeEntry } from '../tree.ts'
import { readBegun, type BegunVersion } from './begun-version.ts'
import { declarationText, OBJECT_DECLARATION, sidecarName, type Addressing } from './inventory.ts'
import { EXTENSIONS, type Objects, type StagedVersion, type WholeVersion } from './objects.ts'
import { isWhole } from './open-object.ts'

/** For looks that are no condition of a write. */
const READ_KEY = 'ocfl-read'
/** Which version of an object is being written: an object each, gone when the version is whole. */
const UNFINISHED = `${EXTENSIONS}/dataferry-unfinished`

/**
 * The objects of a storage root in a store, which renames nothing: files come to where they belong. The inventory of the object comes
 * when all else is there, on condition that it is still the one that was read; its sidecar, and the declaration of a new object, last.
 */
export class StoredObjects implements Objects {
  readonly #sink: Sink
  /** '' or ending in `/`. */
  readonly #base: string
  readonly #signal: AbortSignal

  /** @param folder the root's, relative to the sink; '': the sink itself */
  constructor(sink: Sink, folder: string, signal: AbortSignal) {
    this.#sink = sink
    this.#base = folder === '' ? '' : `${folder}/`
    this.#signal = signal
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    const chunks = await storedTree(this.#sink, READ_KEY, this.#signal).read(this.#base + path)
    return chunks && wholeFile(chunks)
  }

  async list(path: string): Promise<readonly string[]> {
    const below = (this.#base + path).replace(/\/$/, '')
    const names = new Set<string>()
    for await (const { path: place } of this.#sink.list(this.#signal, below === '' ? undefined : below)) {
      names.add(place.slice(below === '' ? 0 : below.length + 1).split('/')[0] ?? '')
    }
    return [...names]
  }

  async *files(path: string): AsyncGenerator<TreeEntry> {
    const below = this.#base + path
    for await (const { path: place, size } of this.#sink.list(this.#signal, below)) {
      yield { path: place.slice(below.length + 1), size, kind: 'file' }
    }
  }

  async replace(path: string, content: string | Uint8Array): Promise<void> {
    await this.#put(path, content)
  }

  async *showing(): AsyncGenerator<BegunVersion, void> {
    for (const name of await this.list(UNFINISHED)) {
      const begun = await this.#begun(`${UNFINISHED}/${name}`)
      if (begun) yield begun
    }
  }

  async tidy(finish: (object: string) => Promise<void>): Promise<void> {
    // Uploads of files are begun anew.
    await this.#sink.sweep(this.#signal, (key) => key.startsWith(KEY))
    for await (const { object, version } of this.showing()) {
      try {
        if (await this.#isWholeOrTakenBack(object, version)) await finish(object)
        await this.#sink.remove(this.#base + unfinishedPath(object))
      } catch (error) {
        // A live process has it.
        if (!(error instanceof DataferryError) || error.code !== 'SINK_BUSY') throw error
      }
    }
  }

  async unfinished(object: string): Promise<string | undefined> {
    const found = await this.#begun(unfinishedPath(object))
    return found?.object === object ? found.version : undefined
  }

  async finish(object: string, { algorithm, version, before, inventory, sidecar }: WholeVersion): Promise<void> {
    const path = `${object}/inventory.json`
    const place = this.#base + path
    // What is put replaces only what was there now.
    await this.#sink.stat(place, keyOf(place), this.#signal)
    const now = await this.read(path)
    if (!Buffer.from(now ?? '').equals(Buffer.from(before ?? ''))) throw busy(object)
    await this.#put(path, inventory)
    await this.replace(`${object}/${sidecarName(algorithm)}`, sidecar)
    if (version === 'v1') await this.#declare(object)
    await this.#sink.remove(this.#base + unfinishedPath(object))
  }

  async remove(object: string): Promise<void> {
    const last = `${this.#base}${object}/${OBJECT_DECLARATION}`
    for await (const { path } of this.#sink.list(this.#signal, this.#base + object)) {
      if (path !== last) await this.#sink.remove(path)
    }
    await this.#sink.remove(last)
    await this.#sink.remove(this.#base + unfinishedPath(object))
  }

  async stage(object: string, version: string, algorithm: Addressing): Promise<StagedVersion> {
    const claim = await this.#claim(object)
    const written = new Set<string>()
    let left: Set<string> | undefined
    const placeOf = (path: string): string => `${this.#base}${object}/${path}`
    /** From now on what is in the folder of the version is ours. @returns what an earlier try left there */
    const begin = async (): Promise<Set<string>> => {
      if (left) return left
      await this.replace(unfinishedPath(object), JSON.stringify({ object, version }))
      left = new Set()
      for await (const { path } of this.#sink.list(this.#signal, placeOf(version))) left.add(path)
      return left
    }
    return {
      write: async (path, chunks, size) => {
        const place = placeOf(path)
        await begin()
        written.add(place)
        await putFile(this.#sink, { path: place, key: keyOf(place), size, signal: this.#signal }, chunks)
      },
      adopt: async (path, from) => {
        const place = placeOf(path)
        await begin()
        written.add(place)
        if (await this.#sink.link(from, place, this.#signal)) return
        throw new DataferryError('SINK_FAILED', `${from} is not there any more.`)
      },
      drop: async (path) => {
        await this.#sink.remove(placeOf(path))
        written.delete(placeOf(path))
      },
      publish: async (inventory, sidecar) => {
        for (const path of await begin()) if (!written.has(path)) await this.#sink.remove(path)
        await Promise.all([
          this.replace(`${object}/${version}/inventory.json`, inventory),
          this.replace(`${object}/${version}/${sidecarName(algorithm)}`, sidecar),
        ])
        await claim.commit(inventory)
        await this.replace(`${object}/${sidecarName(algorithm)}`, sidecar)
        if (version === 'v1') await this.#declare(object)
        await this.#sink.remove(this.#base + unfinishedPath(object))
      },
      [Symbol.asyncDispose]: () => claim[Symbol.asyncDispose](),
    }
  }

  #claim(object: string): Promise<Claim> {
    return Claim.take(this.#sink, `${this.#base}${object}/inventory.json`, object, this.#signal)
  }

  /** Removes what came of a version that is not whole. Rejects with `SINK_BUSY`. @returns whether it is whole */
  async #isWholeOrTakenBack(object: string, version: string): Promise<boolean> {
    const claim = await this.#claim(object)
    try {
      const folder = `${object}/${version}`
      if (await isWhole(this, folder)) return true
      for await (const { path } of this.#sink.list(this.#signal, this.#base + folder)) await this.#sink.remove(path)
      return false
    } finally {
      await claim[Symbol.asyncDispose]()
    }
  }

  async #declare(object: string): Promise<void> {
    await this.replace(`${object}/${OBJECT_DECLARATION}`, declarationText(OBJECT_DECLARATION))
  }

  async #begun(path: string): Promise<BegunVersion | undefined> {
    const chunks = await storedTree(this.#sink, READ_KEY, this.#signal).read(this.#base + path)
    return chunks && readBegun(chunks)
  }

  /** On condition of what `stat` saw there, where it was called for this. */
  async #put(path: string, content: string | Uint8Array): Promise<void> {
    const bytes = Buffer.from(content)
    const place = this.#base + path
    const hex = hash('md5', bytes)
    const options = stageOptions({ path: place, key: keyOf(place), signal: this.#signal })
    await this.#sink.put(options, bytes, { checksum: { algorithm: 'md5', hex }, verified: 'checksum' })
    await this.#sink.forget(options.key)
  }
}

/** The right to write an object: the stage of its inventory, which is committed when all else is there. */
class Claim implements AsyncDisposable {
  readonly #sink: Sink
  readonly #options: StageOptions
  readonly #stage: Stage

  private constructor(sink: Sink, options: StageOptions, stage: Stage) {
    this.#sink = sink
    this.#options = options
    this.#stage = stage
  }

  static async take(sink: Sink, path: string, object: string, signal: AbortSignal): Promise<Claim> {
    const options = stageOptions({ path, key: keyOf(path), signal })
    await sink.stat(path, options.key, signal)
    try {
      const stage = await sink.stage(options)
      return new Claim(sink, options, stage)
    } catch (error) {
      throw error instanceof DataferryError && error.code === 'SINK_BUSY' ? busy(object) : error
    }
  }

  async commit(text: string): Promise<void> {
    const bytes = Buffer.from(text)
    await fill(this.#stage, this.#sink, { size: bytes.length, signal: this.#options.signal }, inMemory(bytes))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stage[Symbol.asyncDispose]()
    await this.#sink.forget(this.#options.key)
  }
}

const KEY = 'ocfl-'

function keyOf(path: string): string {
  return `${KEY}${hash('sha256', path).slice(0, 32)}`
}

/** Where it stands that a version of an object is being written. */
export function unfinishedPath(object: string): string {
  return `${UNFINISHED}/${hash('sha256', object).slice(0, 32)}.json`
}

function busy(object: string): DataferryError {
  return new DataferryError('SINK_BUSY', `Another process is writing the object at ${object}.`)
}
