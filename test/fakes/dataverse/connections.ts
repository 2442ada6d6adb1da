import type { Socket } from 'node:net'

/** Answers after which the application server closes a connection, whatever their number (note §12). */
const CLOSING = [400, 500]

/** Which answers are the last of their connection. */
export class Connections {
  readonly #limit: number
  readonly #answers = new WeakMap<Socket, number>()

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Counts an answer. @returns whether the connection ends with it */
  endsWith(socket: Socket, status: number): boolean {
    const answers = (this.#answers.get(socket) ?? 0) + 1
    this.#answers.set(socket, answers)
    return answers >= this.#limit || CLOSING.includes(status)
  }
}
