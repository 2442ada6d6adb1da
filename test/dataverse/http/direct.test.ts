import { once } from 'node:events'
import { createServer } from 'node:https'
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
