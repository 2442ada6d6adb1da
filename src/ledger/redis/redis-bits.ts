/** Bits as Redis keeps them: bit n is in byte n ÷ 8, the highest bit of a byte first; bytes beyond the end are 0. */

/** For bits `from` … `to` − 1 of a bitmap of which `bytes` are those from byte `from` ÷ 8 on: whether each is set. */
export function bitsIn(bytes: Uint8Array, from: number, to: number): boolean[] {
  const first = from - (from % 8)
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => isSet(bytes, from - first + i))
}

/** Numbers of the set bits of `bytes`, ascending, where the first bit has number `base`. */
export function* setBits(bytes: Uint8Array, base: number): Generator<number> {
  for (const [i, byte] of bytes.entries()) {
    if (byte === 0) continue
    for (let bit = 0; bit < 8; bit += 1) if (byte & (0x80 >> bit)) yield base + i * 8 + bit
  }
}

function isSet(bytes: Uint8Array, bit: number): boolean {
  return ((bytes[bit >> 3] ?? 0) & (0x80 >> (bit & 7))) !== 0
}
