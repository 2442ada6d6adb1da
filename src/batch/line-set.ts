/** A growing set of line numbers, one bit each; what is kept in Redis has its bits in another order (`redis-bits.ts`). */
export class LineSet {
  #bytes = new Uint8Array(1024)
  #count = 0

  /** How many numbers are in it. */
  get count(): number {
    return this.#count
  }

  has(n: number): boolean {
    return ((this.#bytes[n >>> 3] ?? 0) & (1 << (n & 7))) !== 0
  }

  /** @returns false when it was in already */
  add(n: number): boolean {
    if (this.has(n)) return false
    const at = n >>> 3
    if (at >= this.#bytes.length) this.#grow(at + 1)
    this.#bytes[at] = (this.#bytes[at] ?? 0) | (1 << (n & 7))
    this.#count++
    return true
  }

  #grow(atLeast: number): void {
    const grown = new Uint8Array(Math.max(atLeast, this.#bytes.length * 2))
    grown.set(this.#bytes)
    this.#bytes = grown
  }
}
