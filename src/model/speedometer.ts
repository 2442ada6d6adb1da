const WINDOW_MS = 15_000
/** Over less than this, a rate says nothing. */
const SHORTEST_MS = 1_000

/** How fast bytes arrive. */
export interface Speed {
  readonly bytesPerSecond: number
  /** The time it was measured over. */
  readonly overMs: number
}

/** Bytes a second over the last 15 seconds. */
export class Speedometer {
  readonly #samples: { readonly at: number; readonly bytes: number }[] = []

  /** Notes a count at a time in milliseconds. A count that falls, as when a file starts over, resets the window. */
  note(at: number, bytes: number): void {
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples.length = 0
    this.#samples.push({ at, bytes })
    // Keeps the sample before the window's start, so that the window is always covered.
    while ((this.#samples[1]?.at ?? Infinity) <= at - WINDOW_MS) this.#samples.shift()
  }

  /** Undefined until a second has passed. */
  get speed(): Speed | undefined {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (!first || !last || last.at - first.at < SHORTEST_MS) return undefined
    const overMs = last.at - first.at
    return { bytesPerSecond: ((last.bytes - first.bytes) * 1000) / overMs, overMs }
  }
}
