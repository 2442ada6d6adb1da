import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** How a server is away: nobody listens, or the proxy in front of it answers with a page of its own. */
type Outage = 'refused' | 502 | 503

/** What stands in front of a server: it lets every byte through, or plays an outage. */
export interface FrontDoor extends AsyncDisposable {
  /** The address that takes the place of the server's own. */
  readonly url: string
  /** Breaks every connection, and from then on there is an outage. */
  shut(outage: Outage): Promise<void>
  /** Ends the outage. */
  open(): Promise<void>
}

/** @param behind the server's own address */
export async function startFrontDoor(behind: string): Promise<FrontDoor> {
  const { hostname, port } = new URL(behind)
  const sockets = new Set<Socket>()
  let outage: Outage | undefined
  const server = createServer((socket) => {
    keep(socket, sockets)
    if (outage === undefined) passOn(socket, keep(connect(Number(port), hostname), sockets))
    else socket.once('data', () => socket.end(page(outage)))
  })
  const url = `http://127.0.0.1:${await listen(server, 0)}`
  const breakAll = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    breakAll()
    await closed
  }
  const open = async (): Promise<void> => {
    outage = undefined
    if (!server.listening) await listen(server, Number(new URL(url).port))
  }
  return {
    url,
    async shut(kind) {
      await open()
      outage = kind
      if (kind === 'refused') await stop()
      else breakAll()
    },
    open,
    [Symbol.asyncDispose]: stop,
  }
}

/** An error is followed by a close, which is all that matters here. */
function keep(socket: Socket, sockets: Set<Socket>): Socket {
  sockets.add(socket)
  return socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
}

function passOn(one: Socket, other: Socket): void {
  one.pipe(other)
  other.pipe(one)
  one.on('close', () => other.destroy())
  other.on('close', () => one.destroy())
}

function page(outage: Outage | undefined): string {
  const title = outage === 502 ? '502 Bad Gateway' : '503 Service Unavailable'
  const html = `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`
  const head = `HTTP/1.1 ${title}\r\nContent-Type: text/html\r\nContent-Length: ${html.length}\r\nConnection: close\r\n\r\n`
  return head + html
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The front door has no TCP port.')
  return address.port
}
