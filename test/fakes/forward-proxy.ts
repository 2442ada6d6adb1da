import { once } from 'node:events'
import { createServer, request as sendOn, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { Duplex } from 'node:stream'

/** What a forward proxy was asked for. */
interface ProxiedRequest {
  /** `CONNECT` opens a tunnel; any other method came with the whole address. */
  readonly method: string
  /** `host:port` of a tunnel, else the address. */
  readonly target: string
}

export interface ForwardProxyOptions {
  /** `user:password` without which it answers 407. */
  readonly login?: string
  /** Answers every tunnel with this status. */
  readonly refuse?: number
}

/** A running forward proxy. */
export interface ForwardProxy extends AsyncDisposable {
  readonly url: string
  readonly requests: readonly ProxiedRequest[]
}

/** Starts a forward proxy on loopback: tunnels by CONNECT, and plain requests with whole addresses. */
export async function startForwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const requests: ProxiedRequest[] = []
  const sockets = new Set<Duplex>()
  const server = createServer((message, response) => {
    requests.push({ method: message.method ?? '', target: message.url ?? '' })
    if (isKnown(message, options)) forward(message, response)
    else response.writeHead(407, { 'proxy-authenticate': 'Basic realm="proxy"' }).end()
  })
  server.on('connect', (message: IncomingMessage, client: Duplex, head: Buffer) => {
    requests.push({ method: 'CONNECT', target: message.url ?? '' })
    sockets.add(client)
    const refused = isKnown(message, options) ? options.refuse : 407
    if (refused !== undefined) client.end(`HTTP/1.1 ${refused} Refused\r\n\r\n`)
    else sockets.add(tunnel(message.url ?? '', client, head))
  })
  const url = await listen(server)
  return {
    url,
    requests,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function isKnown({ headers }: IncomingMessage, { login }: ForwardProxyOptions): boolean {
  const wanted = login === undefined ? undefined : `Basic ${Buffer.from(login).toString('base64')}`
  return wanted === undefined || headers['proxy-authorization'] === wanted
}

function forward(message: IncomingMessage, response: ServerResponse): void {
  const { method, url = '' } = message
  const kept = Object.fromEntries(Object.entries(message.headers).filter(([name]) => !name.startsWith('proxy-')))
  const onward = sendOn(url, { method, headers: kept }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    pipeline(answer, response, () => undefined)
  })
  onward.on('error', () => {
    if (response.headersSent) response.destroy()
    else response.writeHead(502).end()
  })
  pipeline(message, onward, () => undefined)
}

function tunnel(target: string, client: Duplex, head: Buffer): Socket {
  const at = target.lastIndexOf(':')
  const server = connect(Number(target.slice(at + 1)), target.slice(0, at).replace(/^\[|\]$/g, ''), () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n')
    server.write(head)
    pipeline(client, server, client, () => undefined)
  })
  server.on('error', () => client.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
  return server
}

async function listen(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no TCP port.')
  return `http://127.0.0.1:${address.port}`
}
