import { once } from 'node:events'
import { createServer } from 'node:https'
import { createServer as createTcpServer } from 'node:net'
import { expect, it } from 'vitest'
import { Http, type HttpOptions } from '../../../src/dataverse/http/http.ts'
import { NO_PROXIES } from '../../../src/model/proxies.ts'
import { startForwardProxy } from '../../fakes/forward-proxy.ts'
import { AUTHORITY, SERVER } from '../../fakes/tls/index.ts'
import { bytesOf, scriptedServer, type Seen } from '../scripted-server.ts'

const BYTES = Buffer.alloc(5_000_000, 'abcdefg')

async function fetched(url: string, options: HttpOptions, headers: Record<string, string> = {}): Promise<Buffer> {
  const http = new Http(options)
  try {
    const { body } = await http.send({ method: 'GET', url, headers, large: true })
    return await bytesOf(body.batches())
  } finally {
    await http.close()
  }
}

it('a large body comes over TLS, whose certificate is checked against the named authorities', async () => {
  const secure = createServer(SERVER, (_, response) => response.end(BYTES))
  await once(secure.listen(0, '127.0.0.1'), 'listening')
  const address = secure.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  try {
    for (const host of ['127.0.0.1', 'localhost']) {
      const url = `https://${host}:${port}`
      expect((await fetched(url, { ca: [AUTHORITY] })).equals(BYTES)).toBe(true)
      await expect(fetched(url, {})).rejects.toMatchObject({ code: 'TLS_REJECTED' })
    }
  } finally {
    secure.closeAllConnections()
    secure.close()
  }
})

it('a large body behind a proxy comes through the proxy', async () => {
  await using proxy = await startForwardProxy()
  await using server = await scriptedServer((_, response) => response.end(BYTES))
  expect((await fetched(server.url, { proxies: { ...NO_PROXIES, http: proxy.url } })).equals(BYTES)).toBe(true)
  expect(proxy.requests).toHaveLength(1)
})

it('a server sees the same request, whatever its answer is read by', async () => {
  const headers = {
    'user-agent': 'dataferry',
    'x-dataverse-key': 'secret',
    range: 'bytes=5-',
    'accept-encoding': 'identity',
  }
  await using server = await scriptedServer((_, response) => response.end('x'))
  const http = new Http()
  for (const large of [false, true]) {
    const { body } = await http.send({ method: 'GET', url: `${server.url}/a?b=c`, headers, large })
    await bytesOf(body.batches())
  }
  await http.close()
  const withoutConnection = (seen: Seen) => ({ ...seen, headers: { ...seen.headers, connection: undefined } })
  const [shared, own] = server.seen.map(withoutConnection)
  expect(own).toEqual(shared)
})

it.each<[string, number]>([
  ['one byte', 1],
  ['a few bytes', 1000],
  ['most of a body', 100_000],
])('a body whose head comes with %s of it, in pieces of any size, is whole', async (_, first) => {
  await using server = await scriptedServer(({ url }, response) => {
    response.writeHead(200, { 'content-length': BYTES.length, 'x-pad': 'p'.repeat(Number(url.slice(1))) })
    response.write(BYTES.subarray(0, first))
    setImmediate(() => response.end(BYTES.subarray(first)))
  })
  for (const pad of [0, 5000]) expect((await fetched(`${server.url}/${pad}`, {})).equals(BYTES)).toBe(true)
})

it.each<[string, string, 'SHORT_BODY' | 'SOURCE_UNREACHABLE']>([
  ['a negative chunk size', 'Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n-5\r\nXXXX', 'SHORT_BODY'],
  ['a chunk size that is no number', 'Transfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz\r\n\r\n', 'SHORT_BODY'],
  ['a negative length', 'Content-Length: -5\r\n\r\nXXXX', 'SOURCE_UNREACHABLE'],
])('an answer with %s fails, whatever it is read by', async (_, rest, code) => {
  await using server = await rawServer(`HTTP/1.1 200 OK\r\n${rest}`)
  for (const large of [false, true]) {
    await expect(answered(server.url, large)).rejects.toMatchObject({ code })
  }
})

it.each<[string, string]>([
  ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  ['in compressed chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
  ['with raw UTF-8 in its head', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name: počasí\r\n\r\nhello'],
])('an answer %s is the same, whatever it is read by', async (_, raw) => {
  await using server = await rawServer(raw)
  const [shared, own] = [await answered(server.url, false), await answered(server.url, true)]
  expect(shared.bytes.toString()).toBe('hello')
  expect(own).toEqual(shared)
})

it('a redirect is asked for once, however its body is sent', async () => {
  const head = 'HTTP/1.1 303 See Other\r\nLocation: https://store.invalid/é\r\n'
  await using server = await rawServer(`${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)
  const own = await answered(server.url, true)
  expect(server.requests()).toBe(1)
  expect(own).toEqual(await answered(server.url, false))
})

async function answered(url: string, large: boolean) {
  const http = new Http()
  try {
    const { status, headers, body } = await http.send({ method: 'GET', url, headers: {}, large })
    return { status, headers, bytes: await bytesOf(body.batches()) }
  } finally {
    await http.close()
  }
}

/** Answers every connection's request with these bytes, and ends it. */
async function rawServer(answer: string) {
  let requests = 0
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      requests++
      socket.end(answer)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    requests: () => requests,
    async [Symbol.asyncDispose]() {
      server.close()
      await once(server, 'close')
    },
  }
}
