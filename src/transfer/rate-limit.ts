import { pause } from '../async/pause.ts'
import type { OpenSource } from '../model/source.ts'

/** Shares a number of bytes per second among all streams that take from it. */
export class RateLimit {
  #rate: () => number | undefined
  /** When the bytes taken so far will be paid off. */
  #paidAt = 0

  /** @param rate bytes per second, asked for whenever bytes are taken; undefined: no limit */
  constructor(rate: () => number | undefined = () => undefined) {
    this.#rate = rate
  }

  /** Changes the rate for bytes taken from now on; undefined: no limit. */
  set(bytesPerSecond: number | undefined): void {
    this.#rate = () => bytesPerSecond
  }

  /** Resolves when `bytes` more may pass. Rejects with the signal's reason. */
  async take(bytes: number, signal: AbortSignal): Promise<void> {
    const rate = this.#rate()
    if (rate === undefined) return
    const now = performance.now()
    this.#paidAt = Math.max(now, this.#paidAt) + (bytes / rate) * 1_000
    const waitMs = this.#paidAt - now
    if (waitMs <= 5) return
    await pause(waitMs, signal)
  }
}

/**
 * A source that delivers bytes no faster than `limit` allows.
 * @param onBytes told of those that it delivers
 */
export function limitedSource(open: OpenSource, limit: RateLimit, onBytes?: (bytes: number) => void): OpenSource {
  return async (ref, from, options) => {
    const opened = await open(ref, from, options)
    return { ...opened, body: slowed(opened.body, limit, options.signal, onBytes) }
  }
}

async function* slowed(
  body: AsyncIterable<Uint8Array>,
  limit: RateLimit,
  signal: AbortSignal,
  onBytes: ((bytes: number) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    await limit.take(chunk.byteLength, signal)
    onBytes?.(chunk.byteLength)
    yield chunk
  }
}
