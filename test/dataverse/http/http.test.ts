import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { beforeEach, describe, expect, it } from 'vitest'
import { Http, type HttpOptions } from '../../../src/dataverse/http/http.ts'
import type { HttpAnswer } from '../../../src/dataverse/http/exchange.ts'
import { bytesOf, scriptedServer } from '../scripted-server.ts'

async function withHttp<T>(options: HttpOptions, work: (http: Http) => Promise<T>): Promise<T> {
  const http = new Http(options)
  try {
    return await work(http)
  } finally {
    await http.close()
  }
}

function get(http: Http, url: string, signal?: AbortSignal): Promise<HttpAnswer> {
  return http.send({ method: 'GET', url, headers: {}, large, signal })
}

/** Whether requests are for very many bytes. */
let large = false

/** A server that writes raw bytes on a connection. */
async function rawServer(serve: (socket: Socket) => void): Promise<{ url: string } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => serve(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no TCP port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const MIB = 1024 * 1024

describe.each([
  ['with others', false],
  ['of its own', true],
])('Http, on a connection %s,', (_name, isOwn) => {
  beforeEach(() => {
    large = isOwn
  })

  it('hands out large bodies in few batches, in memory that is used again, every byte in its place', async () => {
    const content = Buffer.alloc(9 * MIB + 12_345, 'abcdefghijk')
    await using server = await scriptedServer((_, response) => response.end(content))
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      const parts: Buffer[] = []
      const memory = new Map<ArrayBufferLike, number>()
      for await (const batch of body.batches()) {
        expect(batch.length).toBeLessThanOrEqual(isOwn ? MIB / 2 : MIB / 4)
        memory.set(batch.buffer, (memory.get(batch.buffer) ?? 0) + batch.length)
        parts.push(Buffer.from(batch))
      }
      expect(Buffer.concat(parts).equals(content)).toBe(true)
      const mostUsed = isOwn ? content.length / 8 : content.length / 2
      expect(Math.max(...memory.values())).toBeGreaterThan(mostUsed)
    })
  })

  it('gives a small answer no pooled buffer', async () => {
    await using server = await scriptedServer((_, response) => response.end('hello'))
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      for await (const batch of body.batches()) {
        expect(Buffer.from(batch).toString()).toBe('hello')
        expect(batch.buffer.byteLength).toBeLessThan(MIB / 4)
      }
    })
  })

  it('hands out what is there to a waiting consumer, without waiting for a full batch', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('first')
      response.flushHeaders()
    })
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      for await (const batch of body.batches()) {
        expect(Buffer.from(batch).toString()).toBe('first')
        break
      }
    })
  })

  it('stops reading from the socket while nobody takes the bytes, and goes on when somebody does', async () => {
    const size = 64 * MIB
    let written = 0
    let stalled: (() => void) | undefined
    const full = new Promise<void>((resolve) => (stalled = resolve))
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-length': String(size) })
      const chunk = Buffer.alloc(MIB)
      const more = (): void => {
        while (written < size) {
          written += chunk.length
          if (!response.write(chunk)) {
            // Nothing drained for a while: the client's and the kernel's buffers are full.
            const timer = setTimeout(() => stalled?.(), 300)
            response.once('drain', () => {
              clearTimeout(timer)
              more()
            })
            return
          }
        }
        response.end()
      }
      more()
    })
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      await full
      expect(written).toBeLessThan(size / 2)
      expect((await bytesOf(body.batches())).length).toBe(size)
    })
  })

  it('closes the connection when the consumer leaves the loop', async () => {
    let closed: (() => void) | undefined
    const gone = new Promise<void>((resolve) => (closed = resolve))
    await using server = await scriptedServer((_, response) => {
      response.on('close', () => closed?.())
      response.writeHead(200, { 'content-length': '1000' })
      response.write('x')
    })
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      const reading = body.batches()
      expect((await reading.next()).done).toBe(false)
      await reading.return()
      await gone
    })
  })

  // One of its own ends with its answer.
  const reuses = isOwn ? 5 : 2
  it('reuses a connection whose answer was read to the end', async () => {
    const ports = new Set<number | undefined>()
    await using server = await scriptedServer((_, response) => {
      ports.add(response.socket?.remotePort)
      response.end('hello')
    })
    await withHttp({}, async (http) => {
      for (let index = 0; index < 5; index += 1) await bytesOf((await get(http, server.url)).body.batches())
    })
    // A connection is free again one turn of the loop after its answer, so two take turns.
    expect(ports.size).toBeLessThanOrEqual(reuses)
  })

  it.each([
    ['closed', (socket: Socket) => socket.end()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('a connection that is %s midway is a short body, after the bytes that came', async (_, finish) => {
    await using server = await rawServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789', () => setImmediate(() => finish(socket)))
    })
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      let text = ''
      await expect(
        (async () => {
          for await (const batch of body.batches()) text += Buffer.from(batch).toString()
        })(),
      ).rejects.toThrow('after 10 of 100 bytes')
      expect(text).toBe('0123456789')
    })
  })

  const CHUNKED = 'HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'

  it.each([
    ['closed', (socket: Socket) => socket.end()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('a chunked body whose connection is %s without the last chunk is a short body', async (_, finish) => {
    await using server = await rawServer((socket) => {
      socket.write(CHUNKED, () => setImmediate(() => finish(socket)))
    })
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      await expect(bytesOf(body.batches())).rejects.toMatchObject({ code: 'SHORT_BODY' })
    })
  })

  it.each([
    ['with its last chunk', CHUNKED, '0\r\n\r\n', 'hello'],
    ['without any length', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello', ' there', 'hello there'],
  ])('a body of a connection that closes is whole %s', async (_, first, last, whole) => {
    await using server = await rawServer((socket) => {
      socket.write(first, () => setImmediate(() => socket.end(last)))
    })
    await withHttp({}, async (http) => {
      const { body } = await get(http, server.url)
      expect((await bytesOf(body.batches())).toString()).toBe(whole)
    })
  })

  it('a body that idles is given up, and says how far it came', async () => {
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('12345')
    })
    await withHttp({ timeouts: { idleMs: 200 } }, async (http) => {
      const { body } = await get(http, server.url)
      const reading = bytesOf(body.batches())
      await expect(reading).rejects.toThrow('after 5 of 10 bytes')
    })
  })

  it.each([true, false])(
    'a body that brings next to nothing is left after what came, where that costs nothing: %s',
    async (leavesSlow) => {
      const dots = 40
      await using server = await scriptedServer((_, response) => {
        response.writeHead(200, { 'content-length': String(100 + dots) })
        response.write('x'.repeat(100))
        let left = dots
        const timer = setInterval(() => {
          if (left-- > 0) response.write('.')
          else clearInterval(timer)
        }, 20)
        response.on('close', () => clearInterval(timer))
      })
      await withHttp({ timeouts: { slowMs: 200 } }, async (http) => {
        const { body } = await get(http, server.url)
        let length = 0
        const reading = (async () => {
          for await (const batch of body.batches(leavesSlow)) length += batch.length
        })()
        if (leavesSlow)
          await expect(reading).rejects.toThrow(/sent less than 1 KiB a second for 0.2 s, after \d+ of 140/)
        else await reading
        if (leavesSlow) expect(length).toBeLessThan(140)
        else expect(length).toBe(140)
        expect(length).toBeGreaterThanOrEqual(100)
      })
    },
  )

  it('gives up waiting for headers, and on the total time', async () => {
    await using silent = await scriptedServer(() => undefined)
    await withHttp({ timeouts: { headersMs: 200 } }, async (http) => {
      await expect(get(http, silent.url)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    })
    await using dripping = await scriptedServer((_, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(timer))
    })
    await withHttp({ timeouts: { totalMs: 300 } }, async (http) => {
      const { body } = await get(http, dripping.url)
      await expect(bytesOf(body.batches())).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    })
  })

  it('a refused connection is unreachable', async () => {
    const server = await rawServer(() => undefined)
    await server[Symbol.asyncDispose]()
    await withHttp({}, async (http) => {
      await expect(get(http, server.url)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE', remedy: 'retry' })
    })
  })

  it('an abort rejects with its reason: before sending, while waiting for a connection, and within the body', async () => {
    const reason = new Error('stop it')
    await using server = await scriptedServer((_, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('12345')
    })
    await withHttp({ connections: 1 }, async (http) => {
      await expect(get(http, server.url, AbortSignal.abort(reason))).rejects.toBe(reason)
      const first = new AbortController()
      const { body } = await get(http, server.url, first.signal)
      const second = new AbortController()
      const queued = get(http, server.url, second.signal)
      second.abort(reason)
      await expect(queued).rejects.toBe(reason)
      const reading = bytesOf(body.batches())
      first.abort(reason)
      await expect(reading).rejects.toBe(reason)
    })
    expect(server.seen.length).toBe(1)
  })

  // undici 7.26.0 to 7.30.2 end the process when the last bytes fill what may wait for the reader: see decision 8.
  it('a connection that closes behind a body whose reader is late brings every byte, whatever the size', async () => {
    const sizes = Array.from({ length: 49 }, (_, i) => MIB + (i * MIB) / 16)
    const content = Buffer.alloc(4 * MIB, 'abcdefghijk')
    let closed: Promise<unknown> = Promise.resolve()
    await using server = await scriptedServer(({ url }, response) => {
      if (response.socket) closed = once(response.socket, 'close')
      response.setHeader('Connection', 'close').end(content.subarray(0, Number(url.slice(1))))
    })
    await withHttp({}, async (http) => {
      for (const size of sizes) {
        const { body } = await get(http, `${server.url}/${size}`)
        await closed
        // An answer to a later request comes after the end of that connection.
        await bytesOf((await get(http, `${server.url}/0`)).body.batches())
        const got = await bytesOf(body.batches())
        expect(got.equals(content.subarray(0, size))).toBe(true)
      }
    })
  })

  it('sends a signed URL exactly as written', async () => {
    await using server = await scriptedServer((_, response) => response.end())
    const path = "/a/%7Eb'c/../d?until=2026-07-22T10:11:12.345&user=@jane&x=%41'(y)&token=00"
    await withHttp({}, async (http) => {
      await bytesOf((await get(http, `${server.url}${path}#fragment`)).body.batches())
      await bytesOf((await get(http, `${server.url}?q=1`)).body.batches())
      await expect(get(http, 'file:///etc/passwd')).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
    })
    expect(server.seen.map(({ url }) => url)).toEqual([path, '/?q=1'])
  })

  it('closing ends what is in flight', async () => {
    await using server = await scriptedServer((_, response) => response.writeHead(200).write('x'))
    const http = new Http()
    const { body } = await get(http, server.url)
    const reading = bytesOf(body.batches())
    await http.close()
    await expect(reading).rejects.toThrow()
    await expect(get(http, server.url)).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })
})
