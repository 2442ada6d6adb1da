import { z } from 'zod'
import type { FaultStep } from './faults.ts'

const CHAOS_KINDS = [
  'cut',
  'early-end',
  'stall',
  'ignore-range',
  'wrong-range',
  'flip',
  'longer',
  'reset',
  '429',
  '500',
  '502',
  '503',
  'waf',
  'login-page',
] as const
type ChaosKind = (typeof CHAOS_KINDS)[number]

/** Random faults that are the same in every run: they follow from seed, file and how often it was asked for. */
export const chaosSchema = z.strictObject({
  seed: z.number().int(),
  /** 0 … 1, for each request of a file's bytes. */
  probability: z.number().min(0).max(1),
  kinds: z.array(z.enum(CHAOS_KINDS)).min(1),
  /** After so many faults a file is left alone. Default 5. */
  perFile: z.number().int().nonnegative().optional(),
})
export type Chaos = z.infer<typeof chaosSchema>

/** Draws the faults. */
export class Dice {
  readonly #asked = new Map<number, { asked: number; hit: number }>()

  /** The fault for this request of `file`, or undefined. */
  roll(chaos: Chaos, file: number): FaultStep | undefined {
    const seen = this.#asked.get(file) ?? { asked: 0, hit: 0 }
    const random = sequence(chaos.seed, file, seen.asked)
    seen.asked += 1
    this.#asked.set(file, seen)
    if (seen.hit >= (chaos.perFile ?? 5) || random() >= chaos.probability) return undefined
    seen.hit += 1
    const kind = chaos.kinds[Math.floor(random() * chaos.kinds.length)]
    return kind === undefined ? undefined : stepOf(kind, random)
  }
}

/** Uniform numbers in [0, 1) that follow from three integers (mulberry32). */
function sequence(seed: number, file: number, nth: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) ^ Math.imul(file, 0x85ebca77) ^ Math.imul(nth + 1, 0xc2b2ae3d)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function stepOf(kind: ChaosKind, random: () => number): FaultStep {
  // Mostly early, sometimes a megabyte in, so that files of all sizes are met in the middle.
  const after = Math.floor(2 ** (random() * 20))
  switch (kind) {
    case 'cut':
    case 'early-end':
    case 'stall':
      return { kind, after }
    case 'wrong-range':
      return { kind, shift: 1 + Math.floor(random() * 8) }
    case 'longer':
      return { kind, by: 1 + Math.floor(random() * 64) }
    case 'ignore-range':
    case 'flip':
    case 'reset':
      return { kind }
    case '429':
      return { kind: 'status', status: 429, body: 'json', ...(random() < 0.5 ? { retryAfter: '1' } : {}) }
    case 'waf':
      return { kind: 'status', status: 202, body: 'empty', headers: { 'x-amzn-waf-action': 'challenge' } }
    case 'login-page':
      return { kind: 'status', status: 200, body: 'html' }
    case '500':
      return { kind: 'status', status: 500, body: 'json' }
    case '502':
    case '503':
      return { kind: 'status', status: Number(kind), body: 'html' }
  }
}
