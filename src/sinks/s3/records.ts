import { LRUCache } from 'lru-cache'
import { eachConcurrently } from '../../async/each-concurrently.ts'
import { DataferryError } from '../../errors.ts'
import { RESERVED_FOLDERS } from '../names.ts'
import { pieces } from '../pieces.ts'
import { bodyOf, bytesOf, ConditionFailed, type Bucket, type Encryption } from './bucket.ts'
import { copyObject } from './copy-object.ts'
import { WHOLE_SIZE } from './part-layout.ts'
import { logOf, SegmentedLog } from './segmented-log.ts'
import type { Part, Uploads } from './uploads.ts'
import type { RecordLog, Records } from '../sink.ts'

/** Objects that the store copies at the same time. */
const COPIES = 8

/** Logs whose list of segments is cached, so that reading a line of a finished plan takes one request. */
const REMEMBERED_LOGS = 64

/** The batch folder as objects below `.dataferry/`: a file is one object, a log is several (`SegmentedLog`). */
export class S3Records implements Records {
  readonly #bucket: Bucket
  readonly #uploads: Uploads
  readonly #encryption: Encryption
  /** Logs that are open for appending. */
  readonly #writing = new Set<string>()
  readonly #logs = new LRUCache<string, SegmentedLog>({ max: REMEMBERED_LOGS })

  constructor(bucket: Bucket, uploads: Uploads, encryption: Encryption) {
    this.#bucket = bucket
    this.#uploads = uploads
    this.#encryption = encryption
  }

  async read(name: string): Promise<Uint8Array | undefined> {
    const found = await this.#bucket.get(this.#key(name))
    if (found) return await bytesOf(found)
    const log = this.#log(name)
    return (await log.exists()) ? await log.read(0, Number.MAX_SAFE_INTEGER) : undefined
  }

  async write(name: string, content: AsyncIterable<Uint8Array> | Uint8Array | string): Promise<void> {
    if (typeof content === 'string') await this.#put(name, Buffer.from(content))
    else if (content instanceof Uint8Array) await this.#put(name, content)
    else await this.#writeStream(name, content)
  }

  async create(name: string, content: string): Promise<boolean> {
    const options = { headers: this.#encryption, condition: 'absent' as const }
    try {
      await this.#bucket.put(this.#key(name), Buffer.from(content), options)
      return true
    } catch (error) {
      if (error instanceof ConditionFailed) return false
      throw error
    }
  }

  async list(folder: string): Promise<readonly string[]> {
    const top = this.#bucket.location.ownKey('')
    const names = new Set<string>()
    for await (const { key } of this.#bucket.list(`${this.#key(folder)}/`)) {
      const name = key.slice(top.length)
      if (!name.endsWith('/')) names.add(logOf(name) ?? name)
    }
    return [...names]
  }

  async folders(below?: string): Promise<readonly string[]> {
    if (below !== undefined) return this.#bucket.folders(`${this.#key(below)}/`)
    const names = await this.#bucket.folders(this.#bucket.location.ownKey(''))
    return names.filter((name) => !RESERVED_FOLDERS.includes(name))
  }

  async remove(name: string): Promise<void> {
    await this.#bucket.delete(this.#key(name))
    await this.#log(name).remove()
    this.#logs.delete(name)
  }

  async moveFolder(from: string, to: string, last: string): Promise<void> {
    const [source, target] = [`${this.#key(from)}/`, `${this.#key(to)}/`]
    const end: number[] = []
    const copy = async (name: string, size: number): Promise<void> => {
      const what = { source: source + name, target: target + name, head: { size, metadata: {} } }
      await copyObject(this.#bucket, this.#uploads, what, this.#encryption, new AbortController().signal)
    }
    await eachConcurrently(this.#bucket.list(source), COPIES, async ({ key, size }) => {
      const name = key.slice(source.length)
      if (name === last) end.push(size)
      else await copy(name, size)
    })
    for (const size of end) await copy(last, size)
    for (const name of await this.list(from)) await this.remove(name)
    for (const name of this.#logs.keys()) if (name.startsWith(`${to}/`)) this.#logs.delete(name)
  }

  async appendTo(name: string, length?: number): Promise<RecordLog> {
    const log = this.#log(name)
    if (this.#writing.has(name)) throw new DataferryError('SINK_BUSY', `.dataferry/${name} is already being written.`)
    this.#writing.add(name)
    const done = () => void this.#writing.delete(name)
    try {
      return await log.open(length, done)
    } catch (error) {
      done()
      throw error
    }
  }

  async readLog(name: string, from: number, to: number): Promise<Uint8Array> {
    return await this.#log(name).read(from, to)
  }

  async *streamLog(name: string, from: number): AsyncGenerator<Uint8Array> {
    let isLog = false
    for await (const chunk of this.#log(name).stream(from)) {
      isLog = true
      yield chunk
    }
    const key = this.#key(name)
    const found = isLog ? undefined : await this.#bucket.get(key, { from })
    if (found) yield* bodyOf(this.#bucket, key, found)
  }

  #key(name: string): string {
    return this.#bucket.location.recordKey(name)
  }

  #log(name: string): SegmentedLog {
    const known = this.#logs.get(name)
    if (known) return known
    const log = new SegmentedLog(this.#bucket, this.#key(name), this.#encryption)
    this.#logs.set(name, log)
    return log
  }

  async #put(name: string, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(this.#key(name), bytes, { headers: this.#encryption })
  }

  /** One `PutObject` when it fits into a part, else an upload that is completed at the end, or aborted. */
  async #writeStream(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const key = this.#key(name)
    let upload: { readonly id: string; readonly parts: Part[] } | undefined
    const signal = new AbortController().signal
    const send = async (bytes: Uint8Array) => {
      upload ??= { id: await this.#uploads.create(key, this.#encryption, signal), parts: [] }
      upload.parts.push(await this.#uploads.send(key, upload.id, upload.parts.length + 1, bytes, signal))
    }
    try {
      for await (const piece of pieces(content, WHOLE_SIZE)) {
        if (!upload && piece.length < WHOLE_SIZE) {
          await this.#put(name, piece)
          return
        }
        await send(piece)
      }
      if (!upload) {
        await this.#put(name, new Uint8Array())
        return
      }
      await this.#uploads.complete(key, upload.id, upload.parts, undefined)
    } catch (error) {
      if (upload) await this.#uploads.abort(key, upload.id).catch(() => undefined)
      throw error
    }
  }
}
