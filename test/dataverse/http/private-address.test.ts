import { once } from 'node:events'
import { createServer, request, type RequestListener } from 'node:http'
import { ProxyAgent } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataAccessApi, type DataAccessOptions } from '../../../src/dataverse/data-access-api.ts'
import { isPrivateAddress, type Network } from '../../../src/dataverse/http/private-address.ts'
import { bytesOf, sendFile, sendJson } from '../scripted-server.ts'

describe('an address', () => {
  it.each([
    '127.0.0.1',
    '127.8.9.10',
    '0.0.0.0',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.0.1',
    '169.254.169.254',
    '100.64.0.1',
    '::1',
    '::',
    'fe80::1',
    'fd12:3456::1',
    '::ffff:10.0.0.1',
    '64:ff9b::a00:1',
    '2002:a00:1::',
  ])('%s is inside', (address) => {
    expect(isPrivateAddress(address)).toBe(true)
  })

  it.each(['8.8.8.8', '172.32.0.1', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '203.0.113.5'])(
    '%s is outside',
    (address) => {
      expect(isPrivateAddress(address)).toBe(false)
    },
  )
})

const BYTES = 'stored'
/** Servers on 127.0.0.1 stand for the world, one on 127.0.0.2 for what is inside. */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  'inside.test': ['127.0.0.2'],
  'both.test': ['127.0.0.2', '127.0.0.1'],
}
const NETWORK: Network = {
  lookup: (hostname, done) => {
    const addresses = Object.hasOwn(NAMES, hostname) ? NAMES[hostname] : undefined
    if (addresses)
      done(null, addresses.map((address) => ({ address, family: 4 }))) // prettier-ignore
    else done(new Error('no such name'), [])
  },
  isPrivate: (address) => address === '127.0.0.2',
}

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

interface Place {
  readonly port: number
  readonly seen: string[]
}

async function serverAt(address: string, answer: RequestListener): Promise<Place> {
  const seen: string[] = []
  const server = createServer((message, response) => {
    seen.push(message.url ?? '')
    answer(message, response)
  })
  server.listen(0, address)
  await once(server, 'listening')
  const place = server.address()
  if (place === null || typeof place === 'string') throw new Error('no TCP port')
  ends.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { port: place.port, seen }
}

/** What a public installation answers when it redirects to `location`, with the servers that there are. */
async function redirectTo(
  location: (inside: number, outside: number) => string,
  options: (inside: number) => Partial<DataAccessOptions> = () => ({}),
): Promise<{ readonly got: Promise<string>; readonly inside: Place }> {
  const inside = await serverAt('127.0.0.2', (_, response) => sendFile(response, BYTES))
  const outside = await serverAt('127.0.0.1', (message, response) => {
    if (message.url === '/inside') response.writeHead(302, { location: `http://127.0.0.2:${inside.port}/x` }).end()
    else sendFile(response, BYTES)
  })
  const home = await serverAt('127.0.0.1', (_, response) =>
    response.writeHead(303, { location: location(inside.port, outside.port) }).end(),
  )
  const api = new DataAccessApi({
    baseUrl: `http://127.0.0.1:${home.port}`,
    network: NETWORK,
    retries: 0,
    ...options(inside.port),
  })
  ends.push(() => api.close())
  return {
    got: large ? openedLarge(api) : api.getDatafile(1).then(({ bytes }) => Buffer.from(bytes).toString()),
    inside,
  }
}

/** Whether the file is said to be so large that it has a connection of its own. */
let large = false

async function openedLarge(api: DataAccessApi): Promise<string> {
  const { signal } = new AbortController()
  const ref = { kind: 'file', file: 1, format: 'original' } as const
  const { body } = await api.open(ref, 0, { signal, count: true, expectedSize: 2 ** 40 })
  return (await bytesOf(body)).toString()
}

const REFUSED = { code: 'SOURCE_REJECTED', message: expect.stringContaining('--allow-host') as string }

describe.each([
  ['', false],
  [' for a large file', true],
])('a redirect from a public installation%s', (_name, isLarge) => {
  beforeEach(() => {
    large = isLarge
  })

  it.each<[string, (inside: number, outside: number) => string]>([
    ['to an address inside', (port) => `http://127.0.0.2:${port}/x`],
    ['to an address inside in another spelling', (port) => `http://2130706434:${port}/x`],
    ['to a name whose address is inside', (port) => `http://inside.test:${port}/x`],
    ['to somebody outside who sends us inside', (_, port) => `http://127.0.0.1:${port}/inside`],
  ])('%s is not followed', async (_, location) => {
    const { got, inside } = await redirectTo(location)
    await expect(got).rejects.toMatchObject(REFUSED)
    expect(inside.seen).toEqual([])
  })

  it.each<[string, (inside: number, outside: number) => string]>([
    ['to an address outside', (_, port) => `http://127.0.0.1:${port}/x`],
    ['to a name that has an address outside, too', (_, port) => `http://both.test:${port}/x`],
  ])('%s is followed', async (_, location) => {
    expect(await (await redirectTo(location)).got).toBe(BYTES)
  })

  it.each(['without', 'with'])('is followed where that is allowed, %s its port', async (port) => {
    const { got } = await redirectTo(
      (inside) => `http://127.0.0.2:${inside}/x`,
      (inside) => ({ allowHosts: [port === 'with' ? `127.0.0.2:${inside}` : '127.0.0.2'] }),
    )
    expect(await got).toBe(BYTES)
  })

  it('is followed where the installation is inside itself', async () => {
    const { got } = await redirectTo(
      (port) => `http://127.0.0.2:${port}/x`,
      () => ({ network: { ...NETWORK, isPrivate: () => true } }),
    )
    expect(await got).toBe(BYTES)
  })

  it('behind a proxy is judged by addresses alone, as the proxy looks names up', async () => {
    const proxy = await serverAt('127.0.0.1', (message, response) => {
      const url = new URL(message.url ?? '')
      const target = { host: url.hostname === 'inside.test' ? '127.0.0.2' : url.hostname, port: url.port }
      message.pipe(
        request({ ...target, path: url.pathname, headers: message.headers }, (answer) => {
          response.writeHead(answer.statusCode ?? 0, answer.headers)
          answer.pipe(response)
        }),
      )
    })
    const dispatcher = new ProxyAgent({ uri: `http://127.0.0.1:${proxy.port}`, proxyTunnel: false })
    ends.push(() => dispatcher.close())
    expect(
      await (
        await redirectTo(
          (port) => `http://inside.test:${port}/x`,
          () => ({ dispatcher }),
        )
      ).got,
    ).toBe(BYTES)
    const literal = await redirectTo(
      (port) => `http://127.0.0.2:${port}/x`,
      () => ({ dispatcher }),
    )
    await expect(literal.got).rejects.toMatchObject(REFUSED)
    expect(literal.inside.seen).toEqual([])
  })
})

it('a signed URL that a public installation gives may not lead inside either', async () => {
  const inside = await serverAt('127.0.0.2', (_, response) => sendFile(response, BYTES))
  const home = await serverAt('127.0.0.1', (message, response) => {
    const refusal = 'You may not download this file without the required Guestbook response for guestbookID 7.'
    if (message.method === 'GET') sendJson(response, 400, { status: 'ERROR', message: refusal })
    else sendJson(response, 200, { status: 'OK', data: { signedUrl: `http://127.0.0.2:${inside.port}/x` } })
  })
  const api = new DataAccessApi({ baseUrl: `http://127.0.0.1:${home.port}`, network: NETWORK, retries: 0 })
  ends.push(() => api.close())
  await expect(api.getDatafile(1, { guestbookResponse: { name: 'A' } })).rejects.toMatchObject(REFUSED)
  expect(inside.seen).toEqual([])
})
