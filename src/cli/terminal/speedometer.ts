const WINDOW_MS = 15_000
/** With less to go by, a rate says nothing. */
const SHORTEST_MS = 1_000

/** How fast bytes come. */
export interface Speed {
  readonly bytesPerSecond: number
  /** The time that it was measured over. */
  readonly overMs: number
}

/** Bytes a second over the last 15 seconds. */
export class Speedometer {
  readonly #samples: { readonly at: number; readonly bytes: number }[] = []

  /** Notes a count at a time in milliseconds. A count that falls, as when a file begins again, starts the window anew. */
  note(at: number, bytes: number): void {
    if (bytes < (this.#samples.at(-1)?.bytes ?? 0)) this.#samples.length = 0
    this.#samples.push({ at, bytes })
    // The sample before the window's begin stays, so that the window is always covered.
    while ((this.#samples[1]?.at ?? Infinity) <= at - WINDOW_MS) this.#samples.shift()
  }

  /** Undefined until there is a second to judge by. */
  get speed(): Speed | undefined {
    const first = this.#samples[0]
    const last = this.#samples.at(-1)
    if (!first || !last || last.at - first.at < SHORTEST_MS) return undefined
    const overMs = last.at - first.at
    return { bytesPerSecond: ((last.bytes - first.bytes) * 1000) / overMs, overMs }
  }
}
