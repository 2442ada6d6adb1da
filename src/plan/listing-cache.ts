import { LRUCache } from 'lru-cache'
import { DataferryError } from '../errors.ts'
import type { Catalogue, ListedFile, ListedVersion } from '../model/listing.ts'

export interface Located {
  readonly file: ListedFile
  readonly version: ListedVersion
}

/** A listing is fetched once this many single files of one dataset version have been requested. */
const LIST_AFTER = 2

/** Files kept in memory, over all listings; of a longer listing only this many. */
const KEPT_FILES = 30_000
/** Dataset versions whose single files are counted. */
const KEPT_COUNTS = 50_000
/** Version selectors whose numbers are known. */
const KEPT_VERSIONS = 1_000

/**
 * Finds single files with few requests: the second file of a dataset version loads its whole listing, which then
 * answers for all others. Keeps the newest listings only, so memory does not grow with the manifest.
 *
 * Only the newest version of a dataset is listed: a file is described as of the newest version that has it, and the
 * listing of an older version would describe it differently from the server's answer for the file alone.
 * So the result never depends on earlier requests.
 */
export class ListingCache {
  readonly #catalogue: Catalogue
  readonly #keptFiles: number
  readonly #found = new Map<number | string, Located>()
  /** Files of each listing. */
  readonly #listings: LRUCache<string, readonly Located[]>
  readonly #asked = new LRUCache<string, number>({ max: KEPT_COUNTS })
  /** Versions that entries name beside a file, by `<dataset> <selector>`. */
  readonly #pinned = new LRUCache<string, ListedVersion>({ max: KEPT_VERSIONS })
  /** Files of such versions by id. One listing is always kept, however long it is. */
  readonly #versions: LRUCache<string, ReadonlyMap<number, ListedFile>>

  constructor(catalogue: Catalogue, keptFiles = KEPT_FILES) {
    this.#catalogue = catalogue
    this.#keptFiles = keptFiles
    this.#listings = new LRUCache({
      maxSize: keptFiles,
      sizeCalculation: (files) => Math.max(1, files.length),
      dispose: (files, key) => this.#forget(files, key),
    })
    const sizeCalculation = (files: ReadonlyMap<number, ListedFile>): number =>
      Math.max(1, Math.min(files.size, keptFiles))
    this.#versions = new LRUCache({ maxSize: keptFiles, sizeCalculation })
  }

  /** Rejects with the codes of `Catalogue#file`. */
  async find(file: number | string, signal: AbortSignal): Promise<Located> {
    const known = this.#found.get(file)
    if (known) return known
    const { in: version, ...found } = await this.#catalogue.file(file, signal)
    const key = `${version.dataset} ${version.version}`
    if (this.#count(key) === LIST_AFTER) await this.#list(key, version, signal)
    return { file: found, version }
  }

  /**
   * Finds a file as a given version of its dataset has it.
   * Rejects with the codes of `Catalogue`, and with `SOURCE_NOT_FOUND` when the file is not in that version.
   */
  async findIn(file: number | string, selector: string, signal: AbortSignal): Promise<Located> {
    const newest = await this.find(file, signal)
    const { dataset } = newest.version
    const version = await this.#pin(dataset, selector, signal)
    if (version.version === newest.version.version) return newest
    const found = (await this.#filesOf(version, signal)).get(newest.file.id)
    if (found) return { file: found, version }
    throw new DataferryError('SOURCE_NOT_FOUND', `Version ${version.version} of ${dataset} has no file ${file}.`)
  }

  async #pin(dataset: string, selector: string, signal: AbortSignal): Promise<ListedVersion> {
    const key = `${dataset} ${selector}`
    const version = this.#pinned.get(key) ?? (await this.#catalogue.version(dataset, selector, signal))
    this.#pinned.set(key, version)
    return version
  }

  async #filesOf({ dataset, version }: ListedVersion, signal: AbortSignal): Promise<ReadonlyMap<number, ListedFile>> {
    const key = `${dataset} ${version}`
    const known = this.#versions.get(key)
    if (known) return known
    const files = new Map<number, ListedFile>()
    for await (const file of this.#catalogue.files(dataset, version, signal)) {
      if (!('mislisted' in file)) files.set(file.id, file)
    }
    this.#versions.set(key, files)
    return files
  }

  #count(key: string): number {
    const asked = (this.#asked.get(key) ?? 0) + 1
    this.#asked.set(key, asked)
    return asked
  }

  async #list(key: string, version: ListedVersion, signal: AbortSignal): Promise<void> {
    const listed: Located[] = []
    try {
      const newest = await this.#catalogue.version(version.dataset, ':latest', signal)
      if (newest.version !== version.version) return
      for await (const file of this.#catalogue.files(version.dataset, version.version, signal)) {
        if (!('mislisted' in file)) listed.push({ file, version })
        if (listed.length >= this.#keptFiles) break
      }
    } catch (error) {
      // The listing only saves requests: where it is refused, files are requested one by one.
      if (error instanceof DataferryError && error.remedy === 'fail') return
      throw error
    }
    this.#keep(key, listed)
  }

  #keep(key: string, listed: readonly Located[]): void {
    this.#listings.set(key, listed)
    for (const located of listed) for (const id of idsOf(located)) this.#found.set(id, located)
  }

  #forget(listed: readonly Located[], key: string): void {
    for (const located of listed) for (const id of idsOf(located)) this.#found.delete(id)
    this.#asked.delete(key)
  }
}

function idsOf({ file: { id, pid } }: Located): readonly (number | string)[] {
  return pid === undefined ? [id] : [id, pid]
}
