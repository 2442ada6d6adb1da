/** Slots in use before the table grows, as a share of all: above, linear probing gets slow. */
const MAX_LOAD = 0.8

/**
 * A map from strings to 1 or 2 that keeps no strings: 8 bytes a slot hold 62 bits of a hash and the value. Open addressing
 * with linear probing; it doubles when four fifths are in use, so 2 million keys take 32 MiB, and 48 MiB while it grows.
 * Different strings with the same 62 bits are taken for one another: about one chance in two million with 2 million keys.
 */
export class FingerprintMap {
  /** Two words a slot; the second ends in the value's two bits, so that 0 means free. */
  #slots = new Uint32Array(2 * 1024)
  #mask = 1023
  #used = 0
  #low = 0
  #high = 0

  get size(): number {
    return this.#used
  }

  /** Bytes that the table takes. */
  get bytes(): number {
    return this.#slots.byteLength
  }

  /** The value of the first `length` characters of `key`, or undefined. */
  get(key: string, length = key.length): number | undefined {
    this.#fingerprint(key, length)
    const value = (this.#slots[this.#find() + 1] ?? 0) & 3
    return value === 0 ? undefined : value
  }

  /** Sets the value of the first `length` characters of `key`. */
  set(key: string, length: number, value: 1 | 2): void {
    if (this.#used >= (this.#mask + 1) * MAX_LOAD) this.#grow()
    this.#fingerprint(key, length)
    const slot = this.#find()
    if (this.#slots[slot + 1] === 0) this.#used += 1
    this.#slots[slot] = this.#low
    this.#slots[slot + 1] = this.#high | value
  }

  /** Index of the slot that has the present fingerprint, or of the free one where it belongs. */
  #find(): number {
    let at = this.#low & this.#mask
    for (;;) {
      const high = this.#slots[2 * at + 1] ?? 0
      if (high === 0 || (this.#slots[2 * at] === this.#low && (high & ~3) >>> 0 === this.#high)) return 2 * at
      at = (at + 1) & this.#mask
    }
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    this.#mask = this.#slots.length / 2 - 1
    for (let slot = 0; slot < old.length; slot += 2) {
      const high = old[slot + 1] ?? 0
      if (high === 0) continue
      this.#low = old[slot] ?? 0
      this.#high = (high & ~3) >>> 0
      const free = this.#find()
      this.#slots[free] = this.#low
      this.#slots[free + 1] = high
    }
  }

  /** Two 32-bit lanes in the manner of MurmurHash3, mixed into one another at the end. Not meant to withstand an attacker. */
  #fingerprint(key: string, length: number): void {
    let a = 0xdeadbeef
    let b = 0x41c6ce57
    for (let i = 0; i < length; i += 1) {
      const unit = key.charCodeAt(i)
      a = Math.imul(a ^ unit, 0x9e3779b1)
      b = Math.imul(b ^ unit, 0x5f356495)
    }
    a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35)
    b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35)
    this.#low = b >>> 0
    this.#high = (a & ~3) >>> 0
  }
}
