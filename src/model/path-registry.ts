import { extensionOf, safePath } from './path.ts'
import { FingerprintMap } from './fingerprint-map.ts'

const FILE = 1
const FOLDER = 2

/**
 * The paths of one batch, each given out once. Two paths are the same when a file system that ignores case or Unicode
 * composition would take them for the same. Only fingerprints are kept, about 16 bytes a path: should two different paths
 * ever share one, the second is renamed without need, which does no harm.
 */
export class PathRegistry {
  readonly #claimed = new FingerprintMap()

  /**
   * Claims a safe path for a file: returns it, or the first free variant `name (2).ext`, `name (3).ext` … when a file or
   * a folder is there already. A folder in whose place a file stands is renamed likewise. The same claims in the same order
   * give the same paths, and claiming the paths that were given out gives them again.
   */
  claim(path: string): string {
    const folded = fold(path)
    const free = this.#isFree(folded) ? path : this.#variantOf(path)
    this.#record(free === path ? folded : fold(free))
    return free
  }

  #isFree(folded: string): boolean {
    for (const [kind, end] of parts(folded)) {
      const found = this.#claimed.get(folded, end)
      if (kind === FILE ? found !== undefined : found === FILE) return false
    }
    return true
  }

  #variantOf(path: string): string {
    const segments = path.split('/')
    let parent = ''
    for (const [at, segment] of segments.entries()) {
      const isName = at === segments.length - 1
      const taken = (candidate: string): boolean => {
        const found = this.#claimed.get(fold(candidate))
        return isName ? found !== undefined : found === FILE
      }
      const here = parent + segment
      // Numbered names are cut to the limits like any other.
      parent = taken(here) ? firstFree((n) => safePath(parent + numbered(segment, n)).path, taken) : here
      if (!isName) parent += '/'
    }
    // A variant can be longer than a path may be; cutting gives another place, which has to be free as well.
    const fitted = safePath(parent).path
    return this.#isFree(fold(fitted)) ? fitted : this.#variantOf(fitted)
  }

  #record(folded: string): void {
    for (const [kind, end] of parts(folded)) this.#claimed.set(folded, end, kind)
  }
}

/** Each folder of a path, then the path itself, as the index where it ends. */
function* parts(path: string): Generator<[kind: typeof FILE | typeof FOLDER, end: number]> {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) yield [FOLDER, slash]
  yield [FILE, path.length]
}

/** What is left of a path when case and composition do not count. Lower case first, as `ẞ` has no capital but itself. */
function fold(path: string): string {
  const folded = path.toLowerCase().toUpperCase()
  return folded.normalize('NFC')
}

function numbered(name: string, n: number): string {
  const extension = extensionOf(name)
  return `${name.slice(0, name.length - extension.length)} (${n})${extension}`
}

/** The variant of the lowest number from 2 that is free: found by doubling and halving, as thousands can share a name. */
function firstFree(variant: (n: number) => string, taken: (path: string) => boolean): string {
  let low = 1
  let high = 2
  while (taken(variant(high))) {
    low = high
    high *= 2
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (taken(variant(middle))) low = middle
    else high = middle
  }
  return variant(high)
}
