import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { lookAtServers } from '../../src/cli/look-at-servers.ts'
import { load } from '../../src/config/config.ts'
import { createLogger } from '../../src/log.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { worldOf } from '../fakes/worlds.ts'

let dataverse: StandIn
const open: Server[] = []
beforeAll(async () => {
  dataverse = await startDataverse({
    world: worldOf({ id: 1, label: 'a', content: 'a' }),
    tokens: { t: { user: '@a' } },
  })
})
afterAll(() => dataverse.close())
afterEach(() => {
  for (const server of open.splice(0)) server.close().closeAllConnections()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  open.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const page =
  (status: number, title: string): RequestListener =>
  (_, response) =>
    void response.writeHead(status, { 'content-type': 'text/html' }).end(`<html><title>${title}</title></html>`)

/** What is said about an address before planning; nothing where it is fine. */
async function said(address: string): Promise<string> {
  const config = load({ env: { DATAVERSE_SERVER: address, DATAVERSE_API_TOKEN: 't' }, cwd: '/', home: '/' })
  try {
    const { signal } = new AbortController()
    await lookAtServers({ config, log: createLogger('silent'), signal }, config.servers)
    return ''
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    return (error as Error).message
  }
}

describe('before planning', () => {
  it('an installation is fine, and is asked once, without the token', async () => {
    const before = dataverse.requests.length
    expect(await said(dataverse.url)).toBe('')
    const asked = dataverse.requests.slice(before)
    expect(asked).toMatchObject([{ url: '/api/info/version', hasToken: false }])
  })

  it.each(['/api', '/dataverse/root', '/dataset.xhtml', '/api/v1'])(
    'the address %s within one is told from it',
    async (path) => {
      expect(await said(dataverse.url + path)).toContain(`use --server ${dataverse.url}.`)
    },
  )

  it('where everybody is sent to another origin, that one is named, since no token would get there', async () => {
    const from = await serve((request, response) => {
      response.writeHead(301, { location: dataverse.url + (request.url ?? '') }).end()
    })
    expect(await said(from)).toBe(
      `${from} redirects to ${dataverse.url}, where your token would not be sent: use --server ${dataverse.url}.`,
    )
    const login = await serve(
      (_, response) => void response.writeHead(302, { location: `${dataverse.url}/login` }).end(),
    )
    expect(await said(login)).toContain('is not a Dataverse installation: it sends visitors to')
  })

  it('a host that is none is refused, with what it answered', async () => {
    const site = await serve((request, response) =>
      page(request.url === '/' ? 200 : 404, 'Our \x1b[31mshop')(request, response),
    )
    expect(await said(site)).toBe(
      `${site} is not a Dataverse installation: ${site}/api/info/version answered with the page “Our \\x1b[31mshop” (404).`,
    )
    expect(await said(await serve(page(200, 'App')))).toContain('is not a Dataverse installation')
  })

  it.each([
    ['in trouble', page(503, 'Service Unavailable')],
    ['in maintenance, with a page on everything', page(200, 'Scheduled maintenance')],
    ['that restarts', page(404, 'Not found')],
    ['whose container runs without it', page(200, 'Payara Server - Server Running')],
    ['behind a firewall', page(403, 'Request blocked')],
    ['that breaks the connection', (request: { socket: { destroy(): unknown } }) => void request.socket.destroy()],
  ])('a server %s is left to those who wait for it', async (_, listener) => {
    expect(await said(await serve(listener))).toBe('')
    expect(await said('http://127.0.0.1:1')).toBe('')
  })
})
