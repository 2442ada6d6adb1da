interface Waiting<T> {
  readonly entry: T
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Group commit: entries that are added during one write share the next one. Writes keep the order of the
 * entries and never overlap. A write that fails rejects its own entries; later ones are still written.
 */
export class GroupCommit<T> {
  readonly #write: (group: readonly T[]) => Promise<void>
  readonly #most: number
  readonly #waiting: Waiting<T>[] = []
  #draining: Promise<void> | undefined

  /** @param most entries in one write */
  constructor(write: (group: readonly T[]) => Promise<void>, most = Number.MAX_SAFE_INTEGER) {
    this.#write = write
    this.#most = most
  }

  /** Resolves or rejects with the write that holds the entry. */
  add(entry: T): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject })
      this.#draining ??= this.#drain()
    })
  }

  /** Waits until every added entry has been written or refused; never rejects. */
  async idle(): Promise<void> {
    await this.#draining
  }

  async #drain(): Promise<void> {
    // Entries added in one turn of the event loop share the first write, too.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, this.#most)
      try {
        await this.#write(group.map(({ entry }) => entry))
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#draining = undefined
  }
}
