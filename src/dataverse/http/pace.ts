/** A connection that brings less while its reader waits is as good as broken. */
const LEAST_BYTES_PER_SECOND = 1024

/**
 * Judges how fast a connection is by the time that its reader waits for bytes: a limit of our own, a pause or a slow
 * destination makes nobody wait for the server, and does not count.
 */
export class Pace {
  readonly #overMs: number
  #bytes = 0
  #from = 0

  /** @param overMs waiting that one judgement takes */
  constructor(overMs: number) {
    this.#overMs = overMs
  }

  /**
   * @param bytes that came since the last call
   * @param waitedMs how long was waited since the beginning
   * @returns whether less came over the last stretch than may
   */
  isSlow(bytes: number, waitedMs: number): boolean {
    this.#bytes += bytes
    const overMs = waitedMs - this.#from
    if (overMs < this.#overMs) return false
    const isSlow = this.#bytes * 1000 < LEAST_BYTES_PER_SECOND * overMs
    this.#bytes = 0
    this.#from = waitedMs
    return isSlow
  }
}
