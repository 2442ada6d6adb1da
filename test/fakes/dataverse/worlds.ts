import type { FileSpec } from './specs.ts'
import { World } from './world.ts'

/** The dataset of `tinyWorld` and `bigWorld`. */
export const WORLD_PID = 'doi:10.5072/FK2/WORLD'

export interface TinyOptions {
  /** Bytes of each file; default 100. */
  readonly size?: number
  /** Default 1. */
  readonly datasets?: number
  readonly store?: FileSpec['store']
}

/** `count` files of a few bytes in one or more datasets (`doi:10.5072/FK2/WORLD`, `…/WORLD-1`, …), made on demand. */
export function tinyWorld(count: number, options: TinyOptions = {}): World {
  const { size = 100, datasets = 1, store = 'stream' } = options
  const world = new World()
  for (let index = 0; index < datasets; index += 1) {
    const from = Math.floor((count * index) / datasets)
    const to = Math.floor((count * (index + 1)) / datasets)
    world.dataset(index === 0 ? WORLD_PID : `${WORLD_PID}-${index}`, {
      title: `Tiny files ${index}`,
      count: to - from,
      fileAt: (at) => ({
        label: `tiny-${String(at).padStart(7, '0')}.bin`,
        directory: `d${Math.floor(at / 1000)}`,
        content: { size, seed: from + at },
        store,
      }),
    })
  }
  return world
}

export interface BigOptions {
  readonly store?: NonNullable<FileSpec['store']>
  /** Default MD5, computed at the first listing (about 1.5 s a GiB); give a value or null where that is too long. */
  readonly checksum?: Exclude<FileSpec['checksum'], undefined>
}

/** One dataset with one generated file for each size, in bytes. */
export function bigWorld(sizes: readonly number[], options: BigOptions = {}): World {
  const world = new World()
  const files = sizes.map((size, seed): FileSpec => ({
    label: `big-${seed}.bin`,
    content: { size, seed },
    ...options,
  }))
  world.dataset(WORLD_PID, { title: 'Big files', files })
  return world
}
