import { hash } from 'node:crypto'

/** Slots in use before the table grows, as a share of all: above, linear probing gets slow. */
const MAX_LOAD = 0.8
/** 32-bit words of a slot. */
const WORDS = 4

/**
 * A map from strings to 1 or 2 that keeps no strings: 16 bytes a slot hold 126 bits of a key's SHA-256 and the value. Open
 * addressing with linear probing; it doubles when four fifths are in use, so a million keys take 32 MiB.
 * Different strings with the same 126 bits count as one: with 10 million keys the probability is 6 · 10⁻²⁵, and
 * nobody can make two such strings on purpose.
 */
export class FingerprintMap {
  /** The last word of a slot ends in the value's two bits, so that 0 means free. */
  #slots = new Uint32Array(WORDS * 1024)
  #mask = 1023
  #used = 0
  readonly #wanted = new Uint32Array(WORDS)

  get size(): number {
    return this.#used
  }

  /** Bytes that the table takes. */
  get bytes(): number {
    return this.#slots.byteLength
  }

  /** The value of `key`, or undefined. */
  get(key: string): number | undefined {
    this.#fingerprint(key)
    return this.#valueAt(this.#find())
  }

  /** Sets a value unless `key` has one. @returns the value it had */
  add(key: string, value: 1 | 2): number | undefined {
    if (this.#used >= (this.#mask + 1) * MAX_LOAD) this.#grow()
    this.#fingerprint(key)
    const slot = this.#find()
    const known = this.#valueAt(slot)
    if (known !== undefined) return known
    this.#used += 1
    this.#slots.set(this.#wanted, slot)
    this.#slots[slot + WORDS - 1] = word(this.#wanted, WORDS - 1) | value
    return undefined
  }

  /** Changes the value of an existing `key`. */
  set(key: string, value: 1 | 2): void {
    this.#fingerprint(key)
    const last = this.#find() + WORDS - 1
    this.#slots[last] = (word(this.#slots, last) & ~3) | value
  }

  #valueAt(slot: number): number | undefined {
    const value = word(this.#slots, slot + WORDS - 1) & 3
    return value === 0 ? undefined : value
  }

  /** Index of the slot that has the present fingerprint, or of the free one where it belongs. */
  #find(): number {
    for (let at = word(this.#wanted, 0) & this.#mask; ; at = (at + 1) & this.#mask) {
      const slot = WORDS * at
      if (this.#valueAt(slot) === undefined || this.#isAt(slot)) return slot
    }
  }

  #isAt(slot: number): boolean {
    for (let i = 0; i < WORDS - 1; i++) if (this.#slots[slot + i] !== this.#wanted[i]) return false
    return (word(this.#slots, slot + WORDS - 1) & ~3) >>> 0 === this.#wanted[WORDS - 1]
  }

  #grow(): void {
    const old = this.#slots
    this.#slots = new Uint32Array(old.length * 2)
    this.#mask = this.#slots.length / WORDS - 1
    for (let from = 0; from < old.length; from += WORDS) {
      const last = word(old, from + WORDS - 1)
      if ((last & 3) === 0) continue
      this.#wanted.set(old.subarray(from, from + WORDS))
      this.#wanted[WORDS - 1] = last & ~3
      const slot = this.#find()
      this.#slots.set(old.subarray(from, from + WORDS), slot)
    }
  }

  #fingerprint(key: string): void {
    // As text with one character per byte, at half the cost of a buffer.
    const digest = hash('sha256', key, 'binary')
    for (let i = 0; i < WORDS; i++) this.#wanted[i] = wordOf(digest, 4 * i)
    this.#wanted[WORDS - 1] = word(this.#wanted, WORDS - 1) & ~3
  }
}

function word(words: Uint32Array, at: number): number {
  return words[at] ?? 0
}

function wordOf(digest: string, at: number): number {
  const byte = (i: number): number => digest.charCodeAt(at + i) << (8 * i)
  return byte(0) | byte(1) | byte(2) | byte(3)
}
