import { subscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'

let watching = false
let ending = false

/**
 * Whether an undici connection is ending at this moment. undici 7.25 takes what came on a connection for the whole
 * body when its server said `Connection: close`, even for a chunked body whose last chunk never came: it then reports the end
 * while the socket is ending, and otherwise while parsing.
 */
export function isConnectionEnding(): boolean {
  return ending
}

/**
 * Tracks the connections that undici makes from now on, whatever agent or proxy makes them.
 * @see https://undici.nodejs.org/#/docs/api/DiagnosticsChannel?id=undiciclientconnected
 */
export function watchConnectionEnds(): void {
  if (watching) return
  watching = true
  subscribe('undici:client:connected', (message) => {
    if (typeof message !== 'object' || message === null || !('socket' in message)) return
    const { socket } = message
    if (!(socket instanceof Socket)) return
    for (const event of ['end', 'error', 'close']) {
      socket.prependListener(event, () => {
        ending = true
        queueMicrotask(() => (ending = false))
      })
    }
  })
}
