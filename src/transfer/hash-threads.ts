import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Algorithm } from '../model/checksum.ts'
import type { Hash } from '../model/hash.ts'
import type { HashKind, HashReply, HashRequest } from './hash-protocol.ts'

/** One request, without the fields that the thread's proxy fills in. */
type Call = HashRequest extends infer R ? (R extends HashRequest ? Omit<R, 'call' | 'id'> : never) : never

/** Bytes that go to a thread at a time. */
const LOAD = 256 * 1024
/** Loads on their way to one thread: as many as keep it busy while the event loop is at other work. */
const LOADS = 8
const MAX_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1))
const threads: HashThread[] = []
let nextId = 0

/** A hash that runs on one of a few shared threads, started when first needed; an idle thread keeps no process alive. */
export function threadHash(algorithm: Algorithm, kind: HashKind): Hash {
  return new ThreadHash(algorithm, kind, leastLoaded())
}

function leastLoaded(): HashThread {
  const idle = threads.find((thread) => thread.hashes === 0)
  if (idle) return idle
  if (threads.length < MAX_THREADS) {
    const thread = new HashThread()
    threads.push(thread)
    return thread
  }
  return threads.reduce((best, thread) => (thread.hashes < best.hashes ? thread : best))
}

class HashThread {
  hashes = 0
  readonly #worker: Worker
  readonly #pending = new Map<number, { resolve(value: HashReply['value']): void; reject(error: Error): void }>()
  readonly #memory = new Shuttle()
  #calls = 0
  #dead: Error | undefined

  constructor() {
    this.#worker = new Worker(new URL('./hash-thread.js', import.meta.url))
    this.#worker.unref()
    this.#worker.on('message', (reply: HashReply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', () => this.#fail(new Error('the hash thread ended')))
  }

  call(id: number, request: Call, transfer: ArrayBuffer[] = []): Promise<HashReply['value']> {
    // A thread that has ended answers nothing any more.
    if (this.#dead) return Promise.reject(this.#dead)
    const call = this.#calls++
    // A pending call must keep the process alive; an idle thread must not.
    if (this.#pending.size === 0) this.#worker.ref()
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve, reject })
      this.#worker.postMessage({ ...request, call, id }, transfer)
    })
  }

  /** Takes a copy of the bytes into memory of the thread's. Resolves when that is made; hashing may still go on. */
  async update(id: number, chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length; from += LOAD) {
      const memory = await this.#memory.take()
      const part = chunk.subarray(from, from + LOAD)
      new Uint8Array(memory).set(part)
      const update = this.call(id, { op: 'update', memory, length: part.length }, [memory])
      // What goes wrong here goes wrong again with the digest, and whoever waits for that hears of it.
      const back = (value?: HashReply['value']): void => this.#memory.give(value)
      update.then(back, () => back())
    }
  }

  #settle(reply: HashReply): void {
    const waiting = this.#pending.get(reply.call)
    this.#pending.delete(reply.call)
    if (this.#pending.size === 0) this.#worker.unref()
    if (reply.error === undefined) waiting?.resolve(reply.value)
    else waiting?.reject(new Error(reply.error))
  }

  #fail(error: Error): void {
    this.#dead ??= error
    const index = threads.indexOf(this)
    if (index >= 0) threads.splice(index, 1)
    for (const waiting of this.#pending.values()) waiting.reject(error)
    this.#pending.clear()
  }
}

/** Memory that goes to one thread and back. Ownership moves, since copying into shared memory is many times slower. */
class Shuttle {
  readonly #free = Array.from({ length: LOADS }, () => new ArrayBuffer(LOAD))
  readonly #waiting: ((memory: ArrayBuffer) => void)[] = []

  async take(): Promise<ArrayBuffer> {
    return this.#free.pop() ?? new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** @param returned anything but memory: it was lost on the way, with its thread */
  give(returned: HashReply['value']): void {
    const memory = returned instanceof ArrayBuffer ? returned : new ArrayBuffer(LOAD)
    const next = this.#waiting.shift()
    if (next) next(memory)
    else this.#free.push(memory)
  }
}

class ThreadHash implements Hash {
  readonly algorithm: Algorithm
  readonly #thread: HashThread
  readonly #id = nextId++
  /** Settles when the bytes of the last update are on their way: whatever is asked next comes after them. */
  #copied: Promise<void> = Promise.resolve()
  #closed = false

  constructor(algorithm: Algorithm, kind: HashKind, thread: HashThread) {
    this.algorithm = algorithm
    this.#thread = thread
    thread.hashes++
    // If this fails, the first real call fails too and says so.
    thread.call(this.#id, { op: 'open', algorithm, kind }).catch(() => undefined)
  }

  update(chunk: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new Error(`hash ${this.#id} is not open`))
    this.#copied = this.#thread.update(this.#id, chunk)
    return this.#copied
  }

  async digest(): Promise<string> {
    const hex = await this.#call({ op: 'digest' })
    if (typeof hex !== 'string') throw new Error('the hash thread gave no digest')
    return hex
  }

  async save(): Promise<Uint8Array | undefined> {
    const state = await this.#call({ op: 'save' })
    return state instanceof Uint8Array ? state : undefined
  }

  async load(state: Uint8Array): Promise<boolean> {
    return (await this.#call({ op: 'load', state })) === true
  }

  async reset(): Promise<void> {
    await this.#call({ op: 'reset' })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#thread.hashes--
    this.#call({ op: 'close' }).catch(() => undefined)
  }

  /** Requests are answered in order, so nobody needs to wait for the opening. */
  async #call(request: Call): Promise<HashReply['value']> {
    await this.#copied
    return this.#thread.call(this.#id, request)
  }
}
