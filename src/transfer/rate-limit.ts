import { pause } from '../async/pause.ts'
import type { OpenSource } from '../model/source.ts'

/** Shares a number of bytes per second among all streams that take from it. */
export class RateLimit {
  #bytesPerSecond: number | undefined
  /** When the bytes taken so far will be paid off. */
  #paidAt = 0

  constructor(bytesPerSecond?: number) {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Changes the rate for bytes taken from now on; undefined: no limit. */
  set(bytesPerSecond: number | undefined): void {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Resolves when `bytes` more may pass. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === undefined) return
    const now = performance.now()
    this.#paidAt = Math.max(now, this.#paidAt) + (bytes / this.#bytesPerSecond) * 1_000
    const waitMs = this.#paidAt - now
    if (waitMs <= 5) return
    await pause(waitMs, signal)
  }
}

/** A source that delivers bytes no faster than `limit` allows. */
export function limitedSource(open: OpenSource, limit: RateLimit): OpenSource {
  return async (ref, from, options) => {
    const opened = await open(ref, from, options)
    return { ...opened, body: slowed(opened.body, limit, options.signal) }
  }
}

async function* slowed(
  body: AsyncIterable<Uint8Array>,
  limit: RateLimit,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    await limit.take(chunk.byteLength, signal)
    yield chunk
  }
}
