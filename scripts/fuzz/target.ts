import type { Dice } from '../dice.ts'

/** A part of the program that is given what nobody expects. */
export interface FuzzTarget {
  /** What is promised of it, for people. */
  readonly about: string
  /**
   * Makes one case from the dice alone, so that its seed and number bring it back, and tries it. Rejects when a promise is
   * broken; `note` is told what the case is made of, to be shown then.
   */
  once(dice: Dice, note: (material: string | Uint8Array) => void): Promise<void>
}

/** The targets by name: a new one is a file in `targets/` and a line here. */
export const TARGETS: Readonly<Record<string, () => Promise<FuzzTarget>>> = {
  headers: async () => (await import('./targets/headers.ts')).target,
  json: async () => (await import('./targets/json.ts')).target,
  listings: async () => (await import('./targets/listings.ts')).target,
  manifests: async () => (await import('./targets/manifests.ts')).target,
  paths: async () => (await import('./targets/paths.ts')).target,
  records: async () => (await import('./targets/records.ts')).target,
  zips: async () => (await import('./targets/zips.ts')).target,
}
