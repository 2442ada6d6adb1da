/** Numbers in [0, 1) and choices that follow from one seed (mulberry32), so that a run can be played again. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1)
  }

  number(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + Math.floor(this.number() * (to - from + 1))
  }

  pick<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.number() * all.length)]
    if (one === undefined) throw new Error('There is nothing to pick from.')
    return one
  }
}
