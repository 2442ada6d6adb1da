import { once } from 'node:events'
import { STATUS_CODES, type ServerResponse } from 'node:http'
import { setImmediate, setTimeout as wait } from 'node:timers/promises'
import { toBuffer } from './content.ts'
import type { Reply } from './reply.ts'

/** How an answer goes out; what faults and settings make of it. */
export interface Sending {
  readonly reply: Reply
  /** Destroy the connection after so many body bytes. */
  readonly cutAfter?: number
  /** Send no more after so many bytes, but stay open. */
  readonly stallAfter?: number
  /** End the message after so many bytes as if that were all. */
  readonly endAfter?: number
  readonly drip?: { readonly bytes: number; readonly everyMs: number }
  /** Default: when the body's length is known. */
  readonly withLength: boolean
  /** Called with each count of body bytes handed over. */
  readonly sent: (bytes: number) => void
  /** Called once the last byte of a body of known length was handed over, and never when it was not. */
  readonly delivered: () => void
}

const AT_ONCE = 64 * 1024

/** Writes an answer. Resolves when it is over, also when the client went away or the script broke the connection. */
export async function send(response: ServerResponse, sending: Sending, head: boolean): Promise<void> {
  const { reply } = sending
  const { body } = reply
  const length = body.kind === 'bytes' ? body.data.length : body.kind === 'part' ? body.to - body.from : undefined
  const headers: Record<string, string | number> = { ...reply.headers }
  if (length !== undefined && sending.withLength) headers['Content-Length'] = length
  response.writeHead(reply.status, reply.statusText ?? STATUS_CODES[reply.status] ?? '', headers)
  if (head) {
    sending.delivered()
    response.end()
    return
  }
  if (isPlain(sending) && length !== undefined && length <= AT_ONCE) {
    const data =
      body.kind === 'bytes' ? body.data : body.kind === 'part' ? toBuffer(body.content, body.from, body.to) : undefined
    sending.sent(length)
    sending.delivered()
    response.end(data)
    return
  }
  await sendInPieces(response, sending, length)
}

function isPlain({ cutAfter, stallAfter, endAfter, drip }: Sending): boolean {
  return cutAfter === undefined && stallAfter === undefined && endAfter === undefined && drip === undefined
}

async function sendInPieces(response: ServerResponse, sending: Sending, length: number | undefined): Promise<void> {
  // A cut that comes too late for this body still cuts its last byte off.
  const cutAfter =
    sending.cutAfter === undefined ? Infinity : Math.min(sending.cutAfter, Math.max(0, (length ?? Infinity) - 1))
  const limit = Math.min(cutAfter, sending.stallAfter ?? Infinity, sending.endAfter ?? Infinity)
  let left = limit
  let handed = 0
  try {
    for await (const chunk of pieces(sending)) {
      const part = chunk.length > left ? chunk.subarray(0, left) : chunk
      left -= part.length
      sending.sent(part.length)
      handed += part.length
      const full = part.length > 0 && !response.write(part)
      if (handed === length) sending.delivered()
      if (full) await drained(response)
      if (left === 0 || response.destroyed) break
    }
  } catch {
    // An error in the middle of a stream is logged by the real server, and the message ends as if it were whole.
  }
  if (response.destroyed) return
  if (left === 0 && limit === cutAfter) await breakOff(response)
  else if (left === 0 && limit === sending.stallAfter) await once(response, 'close')
  else response.end()
}

/** The body in chunks, slowed down when the script says so. */
async function* pieces({ reply: { body }, drip }: Sending): AsyncGenerator<Uint8Array> {
  const chunks =
    body.kind === 'bytes' ? [body.data] : body.kind === 'part' ? body.content.chunks(body.from, body.to) : body.chunks
  if (!drip) {
    yield* chunks
    return
  }
  let sent = 0
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const piece = chunk.subarray(at, at + drip.bytes - sent)
      yield piece
      at += piece.length
      sent += piece.length
      if (sent < drip.bytes) continue
      await wait(drip.everyMs)
      sent = 0
    }
  }
  if (sent > 0) await wait(drip.everyMs)
}

async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done)
      resolve()
    }
    response.on('drain', done).on('close', done)
  })
}

/** Lets what was written reach the client, then breaks the connection without a proper end. */
async function breakOff(response: ServerResponse): Promise<void> {
  response.flushHeaders()
  // The first writes are held back until the next tick.
  await setImmediate()
  response.socket?.destroySoon()
}
