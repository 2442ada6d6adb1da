import { extensionOf, safePath } from './path.ts'
import { FingerprintMap } from './fingerprint-map.ts'

const FILE = 1
const FOLDER = 2

/**
 * The paths of one batch, each assigned once. Two paths are the same when a file system that ignores case or Unicode
 * composition would treat them as one. Only fingerprints are kept.
 */
export class PathRegistry {
  readonly #claimed = new FingerprintMap()
  /** Of the last path: the next one is usually in the same folder. */
  #folder = ''

  /**
   * Claims a safe path for a file: returns it, or the first free variant `name (2).ext`, `name (3).ext` … when a file or
   * a folder is there already. A folder whose name a file has taken is renamed likewise. The same claims in the same order
   * give the same paths, and claiming the assigned paths gives them again.
   */
  claim(path: string): string {
    return this.take(path) ? path : this.#claimVariantOf(path)
  }

  /** Claims a safe path as it is. @returns false: it is claimed already */
  take(path: string): boolean {
    const folded = fold(path)
    const folder = folded.slice(0, Math.max(0, folded.lastIndexOf('/')))
    const isKnown = folder === this.#folder
    if (!isKnown && foldersOf(folder).some((one) => this.#claimed.get(one) === FILE)) return false
    if (this.#claimed.add(folded, FILE) !== undefined) return false
    if (!isKnown) for (const one of foldersOf(folder)) this.#claimed.add(one, FOLDER)
    this.#folder = folder
    return true
  }

  #claimVariantOf(path: string): string {
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
    // A variant can be longer than a path may be; the cut path must be free as well.
    const fitted = safePath(parent).path
    return this.claim(fitted)
  }
}

/** `a/b/c` → `a`, `a/b`, `a/b/c`; none of the empty path. */
function foldersOf(folder: string): string[] {
  if (folder === '') return []
  return folder.split('/').map((_, at, segments) => segments.slice(0, at + 1).join('/'))
}

/** A path without case and composition. Lower case first, as `ẞ` has no capital but itself. */
function fold(path: string): string {
  const folded = path.toLowerCase().toUpperCase()
  return folded.normalize('NFC')
}

function numbered(name: string, n: number): string {
  const extension = extensionOf(name)
  return `${name.slice(0, name.length - extension.length)} (${n})${extension}`
}

/** The free variant with the lowest number from 2: found by doubling and bisecting, as thousands can share a name. */
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
