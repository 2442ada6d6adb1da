/** The last few values by key; the oldest are forgotten first. */
export class Recent<T> {
  readonly #max: number
  readonly #values = new Map<string, T>()

  constructor(max: number) {
    this.#max = max
  }

  set(key: string, value: T): void {
    this.#values.delete(key)
    this.#values.set(key, value)
    const oldest = this.#values.keys().next()
    if (this.#values.size > this.#max && !oldest.done) this.#values.delete(oldest.value)
  }

  take(key: string): T | undefined {
    const value = this.#values.get(key)
    this.#values.delete(key)
    return value
  }
}
