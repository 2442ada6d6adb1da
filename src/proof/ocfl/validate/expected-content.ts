import type { Said } from './inventory-text.ts'

/** What an inventory says of a file of the content. */
export interface Expectation {
  readonly code: 'E092' | 'E093'
  /** By its name in OCFL. */
  readonly algorithm: string
  /** Lower case. */
  readonly digest: string
  /** The inventory that says so. */
  readonly by: string
}

/** What all inventories of an object say of its content, each thing once. */
export class ExpectedContent {
  readonly #files = new Map<string, Expectation[]>()

  add({ algorithm, manifest, fixity }: Said, by: string): void {
    for (const [digest, paths] of manifest)
      this.#addAll(paths, { code: 'E092', algorithm: algorithm ?? '', digest, by })
    for (const [name, block] of fixity) {
      for (const [digest, paths] of block) this.#addAll(paths, { code: 'E093', algorithm: name, digest, by })
    }
  }

  /** By path in the object. */
  files(): Iterable<readonly [path: string, expected: readonly Expectation[]]> {
    return this.#files
  }

  has(path: string): boolean {
    return this.#files.has(path)
  }

  #addAll(paths: readonly string[], { digest, ...rest }: Expectation): void {
    const lower = digest.toLowerCase()
    for (const path of paths) {
      const known = this.#files.get(path) ?? []
      this.#files.set(path, known)
      const isKnown = known.some(
        (one) => one.digest === lower && one.algorithm === rest.algorithm && one.code === rest.code,
      )
      if (!isKnown) known.push({ ...rest, digest: lower })
    }
  }
}
