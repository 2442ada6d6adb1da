import { LRUCache } from 'lru-cache'
import { DataferryError } from '../src/errors.ts'
import type { HeldItem } from '../src/ledger/workers.ts'
import type { Item } from '../src/model/item.ts'

/**
 * Why an item's work ends early.
 * - `shutdown`: this process stops; another one may continue at once
 * - `held`: the batch or its server is paused or cancelled; the feeder queues the item again when that ends
 * - `lost`: the job's lock went to another worker, which works on it now
 */
export type StopReason = 'shutdown' | 'held' | 'lost'

/** What a job is about. */
export interface Held {
  /** The item, or what people see of several. */
  readonly item: Item
  /** How many travel together; undefined: one. */
  readonly files?: number
}

/** An item that this process works on. */
export class Task {
  readonly batch: string
  readonly item: Item
  /** See `HeldItem`. */
  readonly files: number | undefined
  /** When the work began, by `performance.now()`. */
  readonly began = performance.now()
  readonly #controller = new AbortController()
  bytes = 0
  /** Bytes received in this attempt. */
  received = 0
  /** It needs a stream of its server and has none: nothing moves. */
  waits = false
  stopped: StopReason | undefined

  constructor(batch: string, item: Item, files: number | undefined) {
    this.batch = batch
    this.item = item
    this.files = files
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** @param bytes at the destination so far */
  progress(bytes: number): void {
    if (this.bytes > 0) this.received += Math.max(0, bytes - this.bytes)
    this.bytes = bytes
  }

  stop(reason: StopReason): void {
    this.stopped ??= reason
    this.#controller.abort(
      new DataferryError('INTERRUPTED', `The work on ${this.item.path} was asked to stop (${reason}).`),
    )
  }
}

/** What this process works on now, and how to stop it. */
export class Running {
  /**
   * Items by key whose download the server has counted, until they end: one that is held loses its job, which would
   * remember it.
   */
  readonly counted = new LRUCache<string, true>({ max: 10_000 })
  readonly #tasks = new Set<Task>()
  #shutdown = false

  /** @param lock aborts when the job's lock is lost */
  start(batch: string, { item, files }: Held, lock: AbortSignal | undefined): { task: Task; end: () => void } {
    const task = new Task(batch, item, files)
    const lost = () => task.stop('lost')
    lock?.addEventListener('abort', lost, { once: true })
    if (lock?.aborted) lost()
    if (this.#shutdown) task.stop('shutdown')
    this.#tasks.add(task)
    const end = () => {
      lock?.removeEventListener('abort', lost)
      this.#tasks.delete(task)
    }
    return { task, end }
  }

  stopWhere(matches: (task: Task) => boolean, reason: StopReason): void {
    for (const task of this.#tasks) if (matches(task)) task.stop(reason)
  }

  /** Stops everything, and whatever is started from now on. */
  shutDown(): void {
    this.#shutdown = true
    this.stopWhere(() => true, 'shutdown')
  }

  held(): HeldItem[] {
    return [...this.#tasks].map(({ batch, item, files, bytes, received, waits }) => ({
      batch,
      n: item.n,
      path: item.path,
      bytes,
      received: files === undefined ? received : bytes,
      ...(files !== undefined && { files }),
      ...(waits && { waits }),
      ...(item.expect.size !== undefined && { size: item.expect.size }),
    }))
  }
}
