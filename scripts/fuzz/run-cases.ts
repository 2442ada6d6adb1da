import { Dice } from '../dice.ts'
import type { FuzzTarget } from './target.ts'

export interface Cases {
  readonly seed: number
  /** Number of the first case. */
  readonly from: number
  readonly count: number
  /** No case begins after this many seconds. */
  readonly seconds: number
  /** Told the number of each case before it is tried. */
  readonly onCase?: (number: number) => void
}

/** A case that broke a promise. */
export interface Broken {
  readonly number: number
  readonly why: string
  readonly material: string | Uint8Array
}

/** Tries cases until one breaks a promise, or count or time is used up. */
export async function runCases(
  target: FuzzTarget,
  { seed, from, count, seconds, onCase }: Cases,
): Promise<{ readonly tried: number; readonly broken?: Broken }> {
  const end = Date.now() + seconds * 1000
  for (let number = from; number < from + count && Date.now() < end; number += 1) {
    onCase?.(number)
    let material: string | Uint8Array = ''
    try {
      // One draw for each case: any of them can be tried again alone.
      await target.once(
        new Dice(Math.imul(seed, 0x85ebca6b) + Math.imul(number + 1, 0xc2b2ae35)),
        (noted) => (material = noted),
      )
    } catch (error) {
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return { tried: number - from + 1, broken: { number, why, material } }
    }
    if (number + 1 === from + count || Date.now() >= end) return { tried: number - from + 1 }
  }
  return { tried: 0 }
}
