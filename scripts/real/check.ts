import type { Bench } from './bench.ts'
import type { World } from './world.ts'

/** A promise that is held against an installation. */
export interface Check {
  readonly name: string
  /** Whether what it looks at could be made there; by default it could. */
  readonly needs?: (world: World) => boolean
  /** Rejects with what was wrong. */
  readonly run: (bench: Bench) => Promise<void>
}
