/** Bytes of a page: the bits of so many numbers times eight. */
const PAGE = 8192

/**
 * A growing set of line numbers, one bit each; what is kept in Redis has its bits in another order (`redis-bits.ts`). Kept
 * in pages, so that an absurd number from a damaged record takes one page, and not the room of all before it.
 */
export class LineSet {
  readonly #pages = new Map<number, Uint8Array>()
  #count = 0

  /** How many numbers it holds. */
  get count(): number {
    return this.#count
  }

  has(n: number): boolean {
    const byte = this.#pages.get(Math.floor(n / (8 * PAGE)))?.[Math.floor(n / 8) % PAGE] ?? 0
    return (byte & (1 << (n % 8))) !== 0
  }

  /** @returns false when it was already in the set */
  add(n: number): boolean {
    if (this.has(n)) return false
    const number = Math.floor(n / (8 * PAGE))
    const page = this.#pages.get(number) ?? new Uint8Array(PAGE)
    this.#pages.set(number, page)
    const at = Math.floor(n / 8) % PAGE
    page[at] = (page[at] ?? 0) | (1 << (n % 8))
    this.#count++
    return true
  }
}
