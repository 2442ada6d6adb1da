import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Hash } from '../model/hash.ts'
import type { HashMade, HashReply, HashRequest } from './hash-protocol.ts'

/** One request, without the fields that the thread's proxy fills in. */
type Call = HashRequest extends infer R ? (R extends HashRequest ? Omit<R, 'call' | 'id'> : never) : never

/** Bytes sent to a thread at a time: fewer would cost more in messages, more would leave the processor's cache. */
const LOAD = 512 * 1024
/** Loads in flight for one hash: enough to keep its thread busy while the event loop does other work. */
const LOADS = 4
/** Threads of each lane. */
const MAX_THREADS = Math.max(1, Math.min(4, availableParallelism() - 1))
const threads: HashThread[] = []
let nextId = 0

/**
 * A hash that runs on one of a few shared threads, started when first needed; an idle thread keeps no process alive.
 * @param lane hashes of one lane never run on a thread of another: those of the same bytes run beside one another
 */
export function threadHash<A extends string>(made: HashMade<A>, lane: number): Hash<A> {
  return new ThreadHash(made, leastLoaded(lane))
}

function leastLoaded(lane: number): HashThread {
  const own = threads.filter((thread) => thread.lane === lane)
  const idle = own.find((thread) => thread.hashes === 0)
  if (idle) return idle
  if (own.length < MAX_THREADS) {
    const thread = new HashThread(lane)
    threads.push(thread)
    return thread
  }
  return own.reduce((best, thread) => (thread.hashes < best.hashes ? thread : best))
}

class HashThread {
  readonly lane: number
  hashes = 0
  readonly #worker: Worker
  readonly #pending = new Map<number, { resolve(value: HashReply['value']): void; reject(error: Error): void }>()
  #calls = 0
  #dead: Error | undefined

  constructor(lane: number) {
    this.lane = lane
    this.#worker = new Worker(new URL('./hash-thread.js', import.meta.url))
    this.#worker.unref()
    this.#worker.on('message', (reply: HashReply) => this.#settle(reply))
    this.#worker.on('error', (error) => this.#fail(error instanceof Error ? error : new Error(String(error))))
    this.#worker.on('exit', () => this.#fail(new Error('the hash thread ended')))
  }

  call(id: number, request: Call, transfer: ArrayBuffer[] = []): Promise<HashReply['value']> {
    // A thread that has ended no longer answers.
    if (this.#dead) return Promise.reject(this.#dead)
    const call = this.#calls++
    // A pending call must keep the process alive; an idle thread must not.
    if (this.#pending.size === 0) this.#worker.ref()
    return new Promise((resolve, reject) => {
      this.#pending.set(call, { resolve, reject })
      this.#worker.postMessage({ ...request, call, id }, transfer)
    })
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

/** Bytes in flight to a thread: ownership moves, since copying into shared memory is many times slower. */
class Loads {
  readonly #send: (memory: ArrayBuffer, length: number) => Promise<HashReply['value']>
  readonly #free: ArrayBuffer[] = []
  readonly #waiting: ((memory: ArrayBuffer) => void)[] = []
  #made = 0
  #filling: { readonly memory: ArrayBuffer; length: number } | undefined

  /** @param send sends memory and resolves to it once it is back */
  constructor(send: (memory: ArrayBuffer, length: number) => Promise<HashReply['value']>) {
    this.#send = send
  }

  /** Copies the bytes, and sends what is full. Waits while all memory is in flight. */
  async add(chunk: Uint8Array): Promise<void> {
    for (let from = 0; from < chunk.length;) {
      const load = (this.#filling ??= { memory: await this.#take(), length: 0 })
      const piece = chunk.subarray(from, from + LOAD - load.length)
      new Uint8Array(load.memory).set(piece, load.length)
      load.length += piece.length
      from += piece.length
      if (load.length === LOAD) this.flush()
    }
  }

  /** Sends what there is. */
  flush(): void {
    const load = this.#filling
    this.#filling = undefined
    if (!load) return
    // A failure here fails the digest as well, which is awaited.
    const back = (value?: HashReply['value']): void => this.#give(value)
    this.#send(load.memory, load.length).then(back, () => back())
  }

  async #take(): Promise<ArrayBuffer> {
    const free = this.#free.pop()
    if (free) return free
    if (this.#made < LOADS) {
      this.#made += 1
      return new ArrayBuffer(LOAD)
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** @param returned anything but memory: it was lost with its thread */
  #give(returned: HashReply['value']): void {
    const memory = returned instanceof ArrayBuffer ? returned : new ArrayBuffer(LOAD)
    const next = this.#waiting.shift()
    if (next) next(memory)
    else this.#free.push(memory)
  }
}

class ThreadHash<A extends string> implements Hash<A> {
  readonly algorithm: A
  readonly #thread: HashThread
  readonly #id = nextId++
  readonly #loads: Loads
  /** Settles when what was asked last is on its way: whatever is asked next comes after it. */
  #taken: Promise<void> = Promise.resolve()
  #closed = false

  constructor(made: HashMade<A>, thread: HashThread) {
    this.algorithm = made.algorithm
    this.#thread = thread
    this.#loads = new Loads((memory, length) => thread.call(this.#id, { op: 'update', memory, length }, [memory]))
    thread.hashes++
    // If this fails, the first real call fails too and says so.
    thread.call(this.#id, { op: 'open', ...made }).catch(() => undefined)
  }

  update(chunk: Uint8Array): Promise<void> {
    if (this.#closed) return Promise.reject(new Error(`hash ${this.#id} is not open`))
    this.#taken = this.#taken.then(() => this.#loads.add(chunk))
    return this.#taken
  }

  async digest(): Promise<string> {
    const hex = await this.#call({ op: 'digest' })
    if (typeof hex !== 'string') throw new Error('the hash thread gave no digest')
    return hex
  }

  digests(): Promise<[]> {
    return Promise.resolve([])
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

  /** Requests are answered in order, so there is no need to wait for the opening. */
  async #call(request: Call): Promise<HashReply['value']> {
    const sent = this.#taken.then(() => {
      this.#loads.flush()
      return { reply: this.#thread.call(this.#id, request) }
    })
    // What is added from now on comes after this request, whose reply it does not wait for.
    this.#taken = sent.then(() => undefined)
    return (await sent).reply
  }
}
