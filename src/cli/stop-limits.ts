import { pause } from '../async/pause.ts'
import { DataferryError } from '../errors.ts'
import { formatBytes, formatDuration } from '../model/format.ts'

export interface StopLimitOptions {
  readonly maxDurationMs?: number | undefined
  /** Bytes. */
  readonly maxTransfer?: number | undefined
  /** Told of all bytes that are received. */
  readonly onReceived?: ((bytes: number) => void) | undefined
  /** Resolves after so many milliseconds; default: by the clock. */
  readonly wait?: (ms: number, signal: AbortSignal) => Promise<void>
}

/** What ends a command before its work has ended: so much time, or so many bytes. */
export class StopLimits {
  readonly #stop = new AbortController()
  readonly #ended = new AbortController()
  readonly #maxTransfer: number
  readonly #onReceived: ((bytes: number) => void) | undefined
  #bytes = 0

  constructor({ maxDurationMs, maxTransfer, onReceived, wait = pause }: StopLimitOptions = {}) {
    this.#maxTransfer = maxTransfer ?? Infinity
    this.#onReceived = onReceived
    if (maxDurationMs === undefined) return
    const over = (): void => this.#reach(`--max-duration: ${formatDuration(maxDurationMs)} have passed`)
    wait(maxDurationMs, this.#ended.signal).then(over, () => undefined)
  }

  /** Aborts with `LIMIT_REACHED`, which says why. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** Counts bytes as they come from a server. */
  received(bytes: number): void {
    this.#onReceived?.(bytes)
    this.transferred(this.#bytes + bytes)
  }

  /** Sets the bytes that were received so far, where somebody else counts them. */
  transferred(bytes: number): void {
    this.#bytes = bytes
    if (bytes >= this.#maxTransfer) this.#reach(`--max-transfer: ${formatBytes(bytes)} were received`)
  }

  /** The command has ended: nothing is waited for any more. */
  end(): void {
    this.#ended.abort()
  }

  #reach(why: string): void {
    this.#stop.abort(new DataferryError('LIMIT_REACHED', why))
  }
}
