/** Runs steps side by side, a few at a time. The first one that fails stops the rest from being started. */
export class FewAtOnce {
  readonly #most: number
  readonly #running = new Set<Promise<void>>()
  #failure: { readonly error: unknown } | undefined

  constructor(most: number) {
    this.#most = most
  }

  /** Waits for room and starts a step. Rejects with the error of an earlier one. */
  async start(step: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#most) await Promise.race(this.#running)
    this.#refuse()
    const running: Promise<void> = step()
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
  }

  /** Waits until nothing runs, however it ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#running)
  }

  /** Waits for every step. Rejects with the error of the first that failed. */
  async all(): Promise<void> {
    await this.settled()
    this.#refuse()
  }

  #refuse(): void {
    if (this.#failure) throw this.#failure.error
  }
}
