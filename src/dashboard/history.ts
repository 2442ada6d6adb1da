/** A span of time in steps of equal length: what came in each. */
export interface Series {
  readonly stepSeconds: number
  /** Seconds since 1970 at which each step begins, ascending; the last one still goes on. */
  readonly times: readonly number[]
  /** Bytes a second; null where nobody looked. */
  readonly bytes: readonly (number | null)[]
  /** Files a second. */
  readonly files: readonly (number | null)[]
}

const SPANS = { hour: { step: 10, steps: 360 }, day: { step: 300, steps: 288 } } as const
export type Span = keyof typeof SPANS

/** Bytes and files of the last hour and the last day, in memory that does not grow. */
export class History {
  readonly #spans = { hour: new Ring(SPANS.hour), day: new Ring(SPANS.day) }

  /** @param at seconds since 1970 */
  add(at: number, bytes: number, files: number): void {
    for (const ring of Object.values(this.#spans)) ring.add(at, bytes, files)
  }

  read(span: Span, at: number): Series {
    return this.#spans[span].read(at)
  }
}

/** The sums of the last `steps` steps, each in the place of the one that it displaces. */
class Ring {
  readonly #step: number
  readonly #bytes: Float64Array
  readonly #files: Float64Array
  /** Which step a place holds: seconds since 1970 in steps. */
  readonly #held: Float64Array

  constructor({ step, steps }: { readonly step: number; readonly steps: number }) {
    this.#step = step
    this.#bytes = new Float64Array(steps)
    this.#files = new Float64Array(steps)
    this.#held = new Float64Array(steps).fill(-1)
  }

  add(at: number, bytes: number, files: number): void {
    const step = Math.floor(at / this.#step)
    const place = step % this.#held.length
    if (this.#held[place] !== step) {
      this.#held[place] = step
      this.#bytes[place] = 0
      this.#files[place] = 0
    }
    this.#bytes[place] = (this.#bytes[place] ?? 0) + bytes
    this.#files[place] = (this.#files[place] ?? 0) + files
  }

  read(at: number): Series {
    const last = Math.floor(at / this.#step)
    const steps = Array.from(this.#held, (_, i) => last - this.#held.length + 1 + i)
    const rate = (sums: Float64Array) => (step: number) => {
      const place = step % this.#held.length
      if (this.#held[place] !== step) return null
      // Of the last step only a part has passed.
      const seconds = step === last ? Math.max(1, at - step * this.#step) : this.#step
      return (sums[place] ?? 0) / seconds
    }
    return {
      stepSeconds: this.#step,
      times: steps.map((step) => step * this.#step),
      bytes: steps.map(rate(this.#bytes)),
      files: steps.map(rate(this.#files)),
    }
  }
}
