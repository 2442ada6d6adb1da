import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

const BAD_GATEWAY =
  'HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 33\r\nConnection: close\r\n\r\n' +
  '<title>502 Bad Gateway</title>   '

/** Something in front of a server that can be taken away while connections are open. */
export interface Front extends AsyncDisposable {
  readonly url: string
  /** `refused`: nobody listens; `502`: a proxy that finds no server behind it. Open connections break. */
  away(how: 'refused' | '502'): Promise<void>
  back(): Promise<void>
}

/** @param target base URL of the server, on this machine */
export async function startFront(target: string): Promise<Front> {
  const { port: behind, hostname } = new URL(target)
  const sockets = new Set<Socket>()
  let isAway = false
  let server: Server | undefined
  const open = async (port: number): Promise<number> => {
    server = createServer((client) => {
      keep(client)
      if (isAway) {
        client.once('data', () => client.end(BAD_GATEWAY))
        return
      }
      const upstream = connect(Number(behind), hostname)
      keep(upstream)
      client.pipe(upstream).pipe(client)
      client.once('close', () => upstream.destroy())
      upstream.once('close', () => client.destroy())
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const keep = (socket: Socket): void => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => sockets.delete(socket))
  }
  const shut = async (): Promise<void> => {
    if (!server) return
    const closed = once(server, 'close')
    server.close()
    server = undefined
    for (const socket of sockets) socket.destroy()
    await closed
  }
  const port = await open(0)
  return {
    url: `http://127.0.0.1:${port}`,
    async away(how) {
      isAway = how === '502'
      await shut()
      if (isAway) await open(port)
    },
    async back() {
      isAway = false
      await shut()
      await open(port)
    },
    [Symbol.asyncDispose]: shut,
  }
}
