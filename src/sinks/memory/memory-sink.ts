import { Readable } from 'node:stream'
import { DataferryError } from '../../errors.ts'
import type { Hash } from '../../model/hash.ts'
import { memoryRecords, type MemoryRecord } from './records.ts'
import { checkKey, checkPlace, isHidden } from '../names.ts'
import type { Committed, Linked, Proof, Records, Sink, Stage, StageOptions, Statement } from '../sink.ts'

interface MemoryFile {
  readonly bytes: Uint8Array
  readonly key: string
  readonly proof: Proof
}

interface MemoryPart {
  bytes: Buffer
  /** The open stage, by which one that was taken over can tell. */
  holder: object | undefined
}

/** What outlives a sink: pass it to another one to continue as another process would. */
export interface MemoryStore {
  readonly files: Map<string, MemoryFile>
  readonly parts: Map<string, MemoryPart>
  readonly records: Map<string, MemoryRecord>
}

export function memoryStore(): MemoryStore {
  return { files: new Map(), parts: new Map(), records: new Map() }
}

/** Ends every stage of a store silently, as the death of its process would. */
export function killStages(store: MemoryStore): void {
  for (const part of store.parts.values()) part.holder = undefined
}

/**
 * A sink in memory, the reference of the contract: for tests, and the first to read when writing another one.
 * It holds everything it is given.
 */
export function memorySink(store: MemoryStore = memoryStore()): Sink {
  return new MemorySink(store)
}

class MemorySink implements Sink {
  readonly url = 'memory://'
  readonly needsHashState = false
  readonly records: Records
  readonly #store: MemoryStore
  /** What `stat` saw last, for the stage that follows. */
  readonly #seen = new Map<string, MemoryFile | undefined>()
  readonly #stages = new Set<MemoryStage>()

  constructor(store: MemoryStore) {
    this.#store = store
    this.records = memoryRecords(store.records)
  }

  async stat(path: string, key: string, signal: AbortSignal): Promise<Committed | undefined> {
    checkPlace(path)
    checkKey(key)
    signal.throwIfAborted()
    const file = this.#store.files.get(path)
    this.#seen.set(key, file)
    return Promise.resolve(
      file && { size: file.bytes.length, proof: file.key === key ? { ...file.proof, key } : undefined },
    )
  }

  async read(path: string, signal: AbortSignal): Promise<Readable> {
    checkPlace(path)
    signal.throwIfAborted()
    const file = this.#store.files.get(path)
    if (!file) throw new DataferryError('SINK_FAILED', `Cannot read ${path}: there is no such file.`)
    return Promise.resolve(Readable.from([file.bytes], { objectMode: false, signal }))
  }

  async stage(options: StageOptions): Promise<Stage> {
    const { key, item } = options
    const part = this.#part(options)
    this.#store.parts.set(key, part)
    const stage = new MemoryStage(this.#store, key, item.path, part)
    this.#stages.add(stage)
    return Promise.resolve(stage)
  }

  async put(options: StageOptions, bytes: Uint8Array, statement: Statement): Promise<void> {
    this.#part(options)
    const { key, item } = options
    const proof = { ...statement, size: bytes.length }
    this.#store.files.set(item.path, { bytes: Uint8Array.from(bytes), key, proof })
    return Promise.resolve()
  }

  /** The part of a key that may be written now. */
  #part({ key, item: { path }, signal }: StageOptions): MemoryPart {
    checkPlace(path)
    checkKey(key)
    signal.throwIfAborted()
    const part = this.#store.parts.get(key) ?? { bytes: Buffer.alloc(0), holder: undefined }
    if (part.holder) throw new DataferryError('SINK_BUSY', `A stage of ${key} is open.`)
    const isNew = this.#seen.has(key) && this.#seen.get(key) !== this.#store.files.get(path)
    this.#seen.delete(key)
    if (isNew) throw new DataferryError('SINK_BUSY', `Another file was put at ${path} in the meantime.`)
    return part
  }

  async forget(key: string): Promise<void> {
    checkKey(key)
    if (!this.#store.parts.get(key)?.holder) this.#store.parts.delete(key)
    return Promise.resolve()
  }

  async sweep(signal: AbortSignal, isMeant: (key: string) => boolean = () => true): Promise<number> {
    signal.throwIfAborted()
    const idle = [...this.#store.parts].filter(([key, part]) => !part.holder && isMeant(key))
    for (const [key] of idle) this.#store.parts.delete(key)
    return Promise.resolve(idle.length)
  }

  async move(from: string, to: string, signal: AbortSignal): Promise<boolean> {
    const found = (await this.link(from, to, signal)) !== undefined
    if (found && from !== to) await this.remove(from)
    return found
  }

  async link(from: string, to: string, signal: AbortSignal): Promise<Linked | undefined> {
    checkPlace(from)
    checkPlace(to)
    signal.throwIfAborted()
    const file = this.#store.files.get(from)
    if (file) this.#store.files.set(to, file)
    return Promise.resolve(file && 'linked')
  }

  async remove(place: string): Promise<void> {
    checkPlace(place)
    this.#store.files.delete(place)
    return Promise.resolve()
  }

  async *list(signal: AbortSignal, below?: string): AsyncGenerator<{ path: string; size: number }> {
    for (const [path, { bytes }] of this.#store.files) {
      await Promise.resolve()
      signal.throwIfAborted()
      if (below !== undefined && !path.startsWith(`${below}/`)) continue
      if (!isHidden(path, below)) yield { path, size: bytes.length }
    }
  }

  async check(): Promise<void> {
    return Promise.resolve()
  }

  async free(): Promise<number | undefined> {
    return Promise.resolve(undefined)
  }

  async close(): Promise<void> {
    for (const stage of this.#stages) await stage[Symbol.asyncDispose]()
  }
}

class MemoryStage implements Stage {
  readonly #store: MemoryStore
  readonly #key: string
  readonly #path: string
  readonly #part: MemoryPart

  constructor(store: MemoryStore, key: string, path: string, part: MemoryPart) {
    this.#store = store
    this.#key = key
    this.#path = path
    this.#part = part
    part.holder = this
  }

  async resume(hash: Hash, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted()
    await hash.update(this.#part.bytes)
    return this.#part.bytes.length
  }

  async restart(): Promise<0> {
    this.#part.bytes = Buffer.alloc(0)
    return Promise.resolve(0)
  }

  async append(chunks: AsyncIterable<Uint8Array>, _hash: Hash, signal: AbortSignal): Promise<void> {
    try {
      for await (const chunk of chunks) {
        signal.throwIfAborted()
        this.#part.bytes = Buffer.concat([this.#part.bytes, chunk])
      }
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
    signal.throwIfAborted()
  }

  async commit(proof: Proof): Promise<void> {
    const { bytes, holder } = this.#part
    if (holder !== this) throw new DataferryError('SINK_BUSY', `Another process took over ${this.#key}.`)
    if (proof.size !== bytes.length) {
      throw new DataferryError('SINK_FAILED', `The part of ${this.#path} has ${bytes.length} bytes, not ${proof.size}.`)
    }
    this.#store.files.set(this.#path, { bytes, key: this.#key, proof })
    this.#store.parts.delete(this.#key)
    this.#part.holder = undefined
    return Promise.resolve()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#part.holder === this) this.#part.holder = undefined
    return Promise.resolve()
  }
}
