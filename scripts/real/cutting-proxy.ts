import { once } from 'node:events'
import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'

/** A way to an installation that breaks connections. */
export interface CuttingProxy extends AsyncDisposable {
  readonly url: string
  /** The `Range` of each request for a file, in order; undefined: it asked for the whole. */
  readonly asked: readonly (string | undefined)[]
  /** Whether the installation sent somebody to its storage, where this proxy is not. */
  readonly redirected: boolean
}

/**
 * Stands before an installation and breaks the first `times` downloads of single files after `after` bytes each, both
 * towards dataferry and towards the installation. Where that redirects to its storage, nothing is cut.
 */
export async function cuttingProxy(upstream: string, after: number, times: number): Promise<CuttingProxy> {
  const asked: (string | undefined)[] = []
  let redirected = false
  const server = http.createServer((message, response) => {
    const download = /^\/api\/access\/datafile\/(\d+|:persistentId)(\?|$)/.test(message.url ?? '')
    if (download) asked.push(message.headers.range)
    const most = download && asked.length <= times ? after : Infinity
    const onward = request(upstream, message, (answer) => {
      redirected ||= download && answer.statusCode === 303
      passOn(answer, response, most)
    })
    onward.on('error', () => response.destroy())
    response.on('close', () => onward.destroy())
    message.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    get redirected() {
      return redirected
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function request(
  upstream: string,
  { method, url, headers }: IncomingMessage,
  use: (answer: IncomingMessage) => void,
): ClientRequest {
  const wanted = new URL(upstream + (url ?? '/'))
  const send = wanted.protocol === 'https:' ? https.request : http.request
  return send(wanted, { method, headers: { ...headers, host: wanted.host }, agent: false }, use)
}

/** Copies an answer, and breaks the connection after `most` bytes of its body. */
function passOn(answer: IncomingMessage, response: ServerResponse, most: number): void {
  response.writeHead(answer.statusCode ?? 502, answer.headers)
  let left = most
  answer.on('data', (chunk: Buffer) => {
    const more = response.write(chunk.subarray(0, left))
    left -= chunk.length
    if (left <= 0) {
      answer.destroy()
      // What was written is on its way before the connection ends.
      response.socket?.destroySoon()
    } else if (!more) {
      answer.pause()
      response.once('drain', () => answer.resume())
    }
  })
  answer.on('end', () => response.end())
  answer.on('error', () => {
    if (left > 0) response.destroy()
  })
}
