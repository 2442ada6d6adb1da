/** Sentences for people about what holds work up now, one per cause, shown until taken back. */
export class Notices {
  readonly #texts = new Map<string, string>()

  set(cause: string, text: string | undefined): void {
    if (text === undefined) this.#texts.delete(cause)
    else this.#texts.set(cause, text)
  }

  list(): readonly string[] {
    return [...this.#texts.values()]
  }
}
