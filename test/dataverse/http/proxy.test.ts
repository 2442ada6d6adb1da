import { once } from 'node:events'
import { createServer } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Http, type HttpOptions, type RequestNote } from '../../../src/dataverse/http/http.ts'
import { NO_PROXIES, proxyFor } from '../../../src/model/proxies.ts'
import { startForwardProxy } from '../../fakes/forward-proxy.ts'
import { AUTHORITY, SERVER } from '../../fakes/tls/index.ts'
import { scriptedServer } from '../scripted-server.ts'

const BYTES = Buffer.alloc(3_000_000, 'abcdefg')
const serving = () => scriptedServer((_, response) => response.end(BYTES))
const secure = createServer(SERVER, (_, response) => response.end(BYTES))
let secureUrl = ''
beforeAll(async () => {
  await once(secure.listen(0, '127.0.0.1'), 'listening')
  const address = secure.address()
  secureUrl = `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
})
afterAll(() => {
  secure.closeAllConnections()
  secure.close()
})

/** The body of an address, got with a client of its own. */
async function fetched(url: string, options: HttpOptions): Promise<Buffer> {
  const http = new Http(options)
  try {
    const { body } = await http.send({ method: 'GET', url, headers: {} })
    return await body.bytes(1e9)
  } finally {
    await http.close()
  }
}

describe('through a forward proxy', () => {
  it('an http: address is asked for whole, without a tunnel, and the bytes come as they are', async () => {
    await using proxy = await startForwardProxy()
    await using server = await serving()
    const url = `${server.url}/a%20b?c=%2F`
    expect((await fetched(url, { proxies: { ...NO_PROXIES, http: proxy.url } })).equals(BYTES)).toBe(true)
    expect(proxy.requests).toEqual([{ method: 'GET', target: url }])
  })

  it('an https: address is reached in a tunnel, and its certificate is checked', async () => {
    await using proxy = await startForwardProxy()
    const proxies = { ...NO_PROXIES, https: proxy.url }
    expect((await fetched(secureUrl, { proxies, ca: [AUTHORITY] })).equals(BYTES)).toBe(true)
    expect(proxy.requests).toEqual([{ method: 'CONNECT', target: new URL(secureUrl).host }])
    await expect(fetched(secureUrl, { proxies })).rejects.toMatchObject({ code: 'TLS_REJECTED' })
  })

  it('user and password of its address are for the proxy alone', async () => {
    await using proxy = await startForwardProxy({ login: 'jane:p@ss' })
    await using server = await serving()
    const login = proxy.url.replace('//', '//jane:p%40ss@')
    const proxies = { ...NO_PROXIES, http: login, https: login }
    expect((await fetched(server.url, { proxies })).length).toBe(BYTES.length)
    expect((await fetched(secureUrl, { proxies, ca: [AUTHORITY] })).length).toBe(BYTES.length)
    expect(JSON.stringify(server.seen)).not.toContain('proxy-authorization')
  })

  it('one that asks for a password, or refuses a server, is said to do so, without its password', async () => {
    await using asking = await startForwardProxy({ login: 'jane:secret' })
    await using refusing = await startForwardProxy({ refuse: 403 })
    const wrong = asking.url.replace('//', '//jane:wrong-secret@')
    for (const url of ['http://127.0.0.1:1/', secureUrl]) {
      const error: unknown = await fetched(url, { proxies: { ...NO_PROXIES, http: wrong, https: wrong } }).catch(
        (reason: unknown) => reason,
      )
      expect(error).toMatchObject({
        code: 'PROXY_REJECTED',
        message: `The proxy ${asking.url} asks for a user name and a password (407).`,
      })
    }
    const proxies = { ...NO_PROXIES, https: refusing.url }
    await expect(fetched(secureUrl, { proxies })).rejects.toMatchObject({
      code: 'PROXY_REJECTED',
      message: `The proxy ${refusing.url} does not allow connections to ${secureUrl} (403).`,
    })
  })

  it('one that is away, or finds no way, counts as a server that cannot be reached', async () => {
    await using proxy = await startForwardProxy()
    const away = { ...NO_PROXIES, http: 'http://127.0.0.1:1' }
    await expect(fetched('http://127.0.0.1:2/', { proxies: away })).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringContaining('through the proxy http://127.0.0.1:1') as string,
    })
    await expect(
      fetched('https://127.0.0.1:1/', { proxies: { ...NO_PROXIES, https: proxy.url } }),
    ).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })

  it.each([
    ['127.0.0.1', false],
    ['localhost, 127.0.0.1:1', true],
    ['.0.0.1', false],
    ['*', false],
    ['', true],
  ])('NO_PROXY=%j is obeyed by undici and by our own rules alike', async (none, proxied) => {
    await using proxy = await startForwardProxy()
    await using server = await serving()
    const proxies = { http: proxy.url, https: '', none }
    await fetched(server.url, { proxies })
    expect(proxy.requests.length > 0).toBe(proxied)
    expect(proxyFor(server.url, proxies)).toBe(proxied ? proxy.url : undefined)
  })
})

describe('certificates', () => {
  it('of an authority that is named are accepted, and of no other', async () => {
    expect((await fetched(secureUrl, { ca: [AUTHORITY] })).length).toBe(BYTES.length)
    await expect(fetched(secureUrl, {})).rejects.toMatchObject({
      code: 'TLS_REJECTED',
      advice: expect.stringContaining('--ca-file or NODE_EXTRA_CA_CERTS') as string,
    })
  })

  it('a server that speaks no TLS is said not to', async () => {
    await using server = await serving()
    const url = server.url.replace('http:', 'https:')
    await expect(fetched(url, {})).rejects.toMatchObject({
      code: 'TLS_REJECTED',
      message: expect.stringContaining('does not speak TLS') as string,
    })
  })
})

it('each request is told once its answer begins, without anything that may be secret', async () => {
  await using server = await serving()
  const notes: RequestNote[] = []
  const onRequest = (note: RequestNote): void => void notes.push(note)
  await fetched(`${server.url}/api/x?key=secret`, { onRequest })
  await expect(fetched('http://127.0.0.1:1/y', { onRequest })).rejects.toThrow()
  expect(notes).toMatchObject([
    { method: 'GET', url: `${server.url}/api/x`, status: 200, ms: expect.any(Number) as number },
    { method: 'GET', url: 'http://127.0.0.1:1/y', problem: expect.stringContaining('ECONNREFUSED') as string },
  ])
})
