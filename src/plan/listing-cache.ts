import { DataferryError } from '../errors.ts'
import type { Catalogue, ListedFile, ListedVersion } from '../model/listing.ts'

export interface Located {
  readonly file: ListedFile
  readonly version: ListedVersion
}

/** A listing is fetched when this many single files of one dataset version have been asked for. */
const LIST_AFTER = 2

/** Files kept in memory, over all listings but the newest. */
const KEPT_FILES = 50_000

/**
 * Finds single files with few requests: the second file of a dataset version brings its whole listing, which then
 * answers for all others. Keeps the newest listings only, so memory does not grow with the manifest.
 */
export class ListingCache {
  readonly #catalogue: Catalogue
  readonly #listings = new Map<string, Map<number | string, Located>>()
  readonly #asked = new Map<string, number>()

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue
  }

  /** Rejects with the codes of `Catalogue#file`. */
  async find(file: number | string, signal: AbortSignal): Promise<Located> {
    const known = this.#lookUp(file)
    if (known) return known
    const { in: version, ...found } = await this.#catalogue.file(file, signal)
    const key = `${version.dataset} ${version.version}`
    const asked = (this.#asked.get(key) ?? 0) + 1
    this.#asked.set(key, asked)
    if (asked === LIST_AFTER) await this.#list(key, version, signal)
    return { file: found, version }
  }

  #lookUp(file: number | string): Located | undefined {
    for (const listing of this.#listings.values()) {
      const found = listing.get(file)
      if (found) return found
    }
    return undefined
  }

  async #list(key: string, version: ListedVersion, signal: AbortSignal): Promise<void> {
    const listing = new Map<number | string, Located>()
    try {
      for await (const file of this.#catalogue.files(version.dataset, version.version, signal)) {
        const located = { file, version }
        listing.set(file.id, located)
        if (file.pid !== undefined) listing.set(file.pid, located)
      }
    } catch (error) {
      // The listing only saves requests: where it is refused, files are asked for one by one.
      if (error instanceof DataferryError && error.remedy === 'fail') return
      throw error
    }
    this.#listings.set(key, listing)
    this.#evict()
  }

  #evict(): void {
    let kept = [...this.#listings.values()].reduce((sum, listing) => sum + listing.size, 0)
    for (const [key, listing] of this.#listings) {
      if (kept <= KEPT_FILES || this.#listings.size === 1) return
      kept -= listing.size
      this.#listings.delete(key)
      this.#asked.delete(key)
    }
  }
}
