/** The bytes of one connection, in chunks that end where somebody wants them to. */
export class Line {
  readonly #chunks: AsyncGenerator<Uint8Array, void, undefined>
  readonly #stop = new AbortController()
  readonly #to: number | undefined
  #at: number
  #rest: Uint8Array | undefined
  #hasBegun = false

  /**
   * @param from offset of the first byte
   * @param to offset behind the last byte that was asked for; undefined: to the end
   * @param read reads these bytes, until the signal aborts
   */
  constructor(
    from: number,
    to: number | undefined,
    read: (stop: AbortSignal) => AsyncGenerator<Uint8Array, void, undefined>,
  ) {
    this.#chunks = read(this.#stop.signal)
    this.#at = from
    this.#to = to
  }

  /** Whether its next byte is this one. */
  isAt(offset: number): boolean {
    return this.#at === offset && this.#at !== this.#to
  }

  get hasBegun(): boolean {
    return this.#hasBegun
  }

  get isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Waits for the first bytes. @returns whether there are any */
  async begin(): Promise<boolean> {
    const next = await this.#chunks.next()
    this.#rest = next.done ? undefined : next.value
    this.#hasBegun = true
    return this.#rest !== undefined
  }

  /** Up to `most` bytes, valid until more are asked for; undefined at the end. */
  async next(most: number): Promise<Uint8Array | undefined> {
    if (!this.#rest && !(await this.begin())) return undefined
    const chunk = this.#rest?.subarray(0, most)
    const length = chunk?.byteLength ?? 0
    this.#rest = this.#rest && this.#rest.byteLength > length ? this.#rest.subarray(length) : undefined
    this.#at += length
    return chunk
  }

  /** Reads past the end where that was asked for, so that the connection can be used again. */
  async finish(): Promise<void> {
    if (this.#at === this.#to && !this.#rest) await this.begin()
  }

  /** Gives up at once what is being waited for: `next` rejects. */
  stop(): void {
    this.#stop.abort(new Error('Another connection goes on here.'))
  }

  /** Closes the connection, unless it came to its end. */
  async close(): Promise<void> {
    await this.#chunks.return()
  }
}
