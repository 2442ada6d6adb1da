import { once } from 'node:events'
import { createServer, request, type IncomingMessage } from 'node:http'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pathToFileURL } from 'node:url'
import { RedisLedger } from '../../src/ledger/redis/redis-ledger.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { batchOf, itemAt, plannedBatch } from '../batch/fixtures.ts'
import { useRedis } from '../redis.ts'
import { openTestDashboard, type OpenedDashboard } from './open-dashboard.ts'
import { routesOf, type Route } from './routes.ts'

const redis = useRedis()
let board: OpenedDashboard
let operator: { readonly cookie: string }
let viewer: { readonly cookie: string }

beforeAll(async () => {
  board = await openTestDashboard(redis)
  operator = await board.signIn()
  viewer = await board.signIn('--viewer')
  const routes = await routesOf(board, operator)
  reads = routes.filter(({ method }) => method === 'GET').map(({ path }) => path)
  writes = routes.filter(({ method }) => method !== 'GET')
})
afterAll(() => board[Symbol.asyncDispose]())

let reads: readonly string[]
let writes: readonly Route[]

async function statusOf(path: string, headers: Readonly<Record<string, string>>): Promise<{ status: number }> {
  return { status: (await board.ask(path, { headers })).status }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address ? address.port : 0
}

describe('who may ask', () => {
  it('a request that names another host is refused, whatever it asks for', async () => {
    for (const host of [
      'attacker.example',
      'localhost.attacker.example',
      '127.0.0.1.nip.io',
      'user@attacker.example',
      '[::2]',
    ]) {
      for (const path of ['/', '/api/overview', '/assets/main.js', '/metrics']) {
        const { status, text } = await board.ask(path, { headers: { ...operator, Host: host } })
        expect({ host, path, refused: status === 421 || status === 400 }).toEqual({ host, path, refused: true })
        expect(text).not.toContain('batches')
      }
    }
  })

  it('a tunnel may have another port', async () => {
    const answer = await board.ask('/api/overview', { headers: { ...operator, Host: 'localhost:9999' } })
    expect(answer.status).toBe(200)
  })

  it('the list of routes is whole: it has what pages and scripts use', () => {
    expect(reads).toEqual(expect.arrayContaining(['/api/overview', '/api/batches/none/failures.csv', '/api/events']))
    expect(writes.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/api/schedules/none/pause', '/api/mirrors/run', '/api/batches/none/retry']),
    )
  })

  it('nothing is told or done for somebody who is not signed in', async () => {
    const guesses = [{}, { cookie: operator.cookie.replace(/=.*/, '=guessed') }, { Authorization: 'Bearer guessed' }]
    for (const headers of guesses) {
      for (const path of reads) expect({ path, ...(await statusOf(path, headers)) }).toEqual({ path, status: 401 })
      for (const { method, path } of writes.filter(({ isOpen }) => !isOpen)) {
        expect({ path, status: (await board.write(path, {}, headers, method)).status }).toEqual({ path, status: 401 })
      }
    }
    expect(writes.filter(({ isOpen }) => isOpen)).toEqual([
      { method: 'POST', path: '/api/session', isOpen: true },
      { method: 'DELETE', path: '/api/session', isOpen: true },
    ])
  })

  it('a page of another origin can neither write nor have its reads answered', async () => {
    const origins = [
      'http://attacker.example',
      'null',
      'http://localhost:1',
      board.url.replace('http:', 'https:'),
      `${board.url}.attacker.example`,
    ]
    for (const { method, path } of writes) {
      for (const Origin of origins) {
        const answer = await board.write(path, {}, { ...operator, Origin }, method)
        expect({ path, Origin, status: answer.status }).toEqual({ path, Origin, status: 403 })
      }
    }
    for (const site of ['cross-site', 'same-site']) {
      for (const path of reads) {
        const told = await statusOf(path, { ...operator, 'Sec-Fetch-Site': site })
        expect({ path, ...told }).toEqual({ path, status: 403 })
      }
    }
  })

  it('a link on another page leads to the pages, as it does anywhere', async () => {
    const followed = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate' }
    expect((await board.ask('/', { headers: followed })).status).not.toBe(403)
    expect((await board.ask('/api/overview', { headers: followed })).status).toBe(401)
    expect((await board.write('/api/batches/b1/pause', {}, { ...operator, ...followed })).status).toBe(403)
  })

  it('a write without an origin needs a token of its own: a cookie is sent by any page', async () => {
    const headers = { ...operator, 'Content-Type': 'application/json', 'Content-Length': '2' }
    for (const { method, path } of writes) {
      const { status } = await board.ask(path, { method, headers, body: '{}' })
      expect({ path, status }).toEqual({ path, status: 403 })
    }
  })

  it('what a form can send is no write', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/jsonp',
    ]) {
      for (const { method, path } of writes) {
        const { status } = await board.write(path, {}, { ...operator, 'Content-Type': type }, method)
        expect({ path, type, status }).toEqual({ path, type, status: 415 })
      }
    }
  })

  it('a viewer sees everything and changes nothing', async () => {
    for (const path of reads.filter((one) => one !== '/api/events')) {
      const told = await statusOf(path, viewer)
      // There is no batch of the name that stands for any.
      expect({ path, ...told }).toEqual({ path, status: path.includes('/none') ? 404 : 200 })
    }
    for (const { method, path } of writes.filter(({ isOpen }) => !isOpen)) {
      expect({ path, status: (await board.write(path, {}, viewer, method)).status }).toEqual({ path, status: 403 })
    }
  })
})

describe('signing in', () => {
  it('a link works once', async () => {
    const token = await board.link()
    expect((await board.write('/api/session', { token })).status).toBe(200)
    expect((await board.write('/api/session', { token })).status).toBe(401)
  })

  it('of many who open a link at once, one gets in', async () => {
    const token = await board.link()
    const answers = await Promise.all(Array.from({ length: 20 }, () => board.write('/api/session', { token })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it('a link lives for five minutes, and Redis holds only its hash', async () => {
    const token = await board.link()
    const keys = await redis.client.keys(`${redis.prefix}:link:*`)
    expect(keys.join(' ')).not.toContain(token)
    for (const key of keys) {
      const left = await redis.client.ttl(key)
      expect(left).toBeGreaterThan(0)
      expect(left).toBeLessThanOrEqual(300)
    }
  })

  it('a cookie is out of the reach of scripts and of other sites, and ends with the session', async () => {
    const { headers } = await board.write('/api/session', { token: await board.link() })
    const set = headers['set-cookie']?.[0] ?? ''
    expect(set).toMatch(/; HttpOnly/)
    expect(set).toMatch(/; SameSite=Strict/)
    const cookie = set.split(';')[0] ?? ''
    expect((await board.ask('/api/session', { headers: { cookie } })).status).toBe(200)
    expect((await board.write('/api/session', {}, { cookie }, 'DELETE')).text).toContain('Signed out')
    expect((await board.ask('/api/session', { headers: { cookie } })).status).toBe(401)
  })

  it('what is no token is refused without a word about why', async () => {
    for (const token of ['', 'x'.repeat(201), '../../etc/passwd', '*', '{"a":1}', 17, null, { $gt: '' }]) {
      expect([400, 401]).toContain((await board.write('/api/session', { token })).status)
    }
  })

  it('tokens of files let people and programs in, each as far as it goes', async () => {
    const [look, act] = ['viewer-token-0123456789', 'operator-token-0123456789']
    const files = { look: join(board.folder, 'look'), act: join(board.folder, 'act') }
    await writeFile(files.look, `${look}\n`, { mode: 0o600 })
    await writeFile(files.act, act, { mode: 0o600 })
    await using shared = await openTestDashboard(redis, [
      '--host',
      '0.0.0.0',
      '--server',
      'https://dv.example.edu',
      '--viewer-token-file',
      files.look,
      '--operator-token-file',
      files.act,
    ])
    const bearer = (token: string) => ({
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      Host: 'localhost',
    })
    expect((await shared.ask('/api/overview', { headers: bearer(look) })).status).toBe(200)
    const limit = JSON.stringify({ server: 'https://dv.example.edu', concurrency: 2 })
    const asked = { method: 'POST', body: limit }
    expect((await shared.ask('/api/servers/limit', { ...asked, headers: bearer(look) })).status).toBe(403)
    expect((await shared.ask('/api/servers/limit', { ...asked, headers: bearer(act) })).status).toBe(200)
    expect((await shared.ask('/metrics', { headers: { Host: 'localhost' } })).status).toBe(401)
    expect((await shared.ask('/metrics', { headers: bearer(look) })).status).toBe(200)
    expect((await shared.ask('/api/overview', { headers: { ...bearer(look), Host: 'attacker.example' } })).status).toBe(
      421,
    )
  })
})

it('behind a proxy everybody seems to be on this machine, so metrics need a token there', async () => {
  await using board = await openTestDashboard(redis, ['--origin', 'https://data.example.edu'], await freePort())
  const Host = 'data.example.edu'
  expect((await board.ask('/metrics', { headers: { Host } })).status).toBe(401)
  const { status, headers } = await board.write(
    '/api/session',
    { token: await board.link() },
    { Host, Origin: `https://${Host}` },
  )
  expect([status, String(headers['set-cookie'])]).toMatchObject([200, expect.stringContaining('; Secure') as string])
})

describe('what is asked', () => {
  it('no path leads to a file', async () => {
    const paths = [
      '/assets/../../../etc/passwd',
      '/assets/..%2f..%2f..%2fetc%2fpasswd',
      '/assets/%2e%2e/%2e%2e/package.json',
      '/..%5c..%5cetc',
      '/assets//etc/passwd',
      '/api/batches/..%2f..%2fetc/items',
      '/api/batches/%2e%2e%2f%2e%2e/failures.csv',
      '/assets/main.js%00.css',
    ]
    for (const path of paths) {
      const { status, text } = await board.ask(path, { headers: operator })
      expect({ path, isRefused: status >= 400 && status < 500 }).toEqual({ path, isRefused: true })
      expect(text).not.toMatch(/root:|"dependencies"/)
    }
  })

  it('a body that is too long is refused, whether or not it says how long it is', async () => {
    const huge = 'x'.repeat(8 << 20)
    for (const path of ['/api/plans', '/api/servers/limit', '/api/session']) {
      const headers = { ...operator, Origin: board.url, 'Content-Type': 'application/json' }
      for (const how of [{ 'Content-Length': String(huge.length) }, { 'Transfer-Encoding': 'chunked' }]) {
        const refused = await board.ask(path, { method: 'POST', headers: { ...headers, ...how }, body: huge }).then(
          ({ status }) => status === 413,
          // The connection may be closed before all of it was sent.
          (error: unknown) => error instanceof Error && /ECONNRESET|EPIPE|hang up/.test(String(error)),
        )
        expect(refused).toBe(true)
      }
    }
    expect((await board.ask('/healthz')).status).toBe(200)
  })

  it('a body that is no JSON, or not what was asked for, is refused and named', async () => {
    const headers = { ...operator, Origin: board.url, 'Content-Type': 'application/json' }
    for (const body of ['', '{', '[]', '"x"', '['.repeat(50_000), '{"server":1}', '{"server":"ftp://x"}']) {
      const { status } = await board.ask('/api/servers/limit', { method: 'POST', headers, body })
      expect({ body: body.slice(0, 20), status }).toEqual({ body: body.slice(0, 20), status: 400 })
    }
  })

  it('names from servers arrive as text, and act on no terminal', async () => {
    const ledger = new RedisLedger(redis.client, { prefix: redis.prefix })
    const evil = '=<script>alert(1)</script>\u001b[31m\u202e"\'><img src=x onerror=alert(1)>.csv'
    const destination = pathToFileURL(join(board.folder, 'hostile')).href
    const { records } = diskSink(join(board.folder, 'hostile'))
    const item = itemAt(evil, { origin: { dataset: `doi:10.5072/${evil}`, version: evil } })
    const { batch } = await plannedBatch(records, [item], batchOf('hostile', { destination }))
    await ledger.open(batch)
    await ledger.setPlanned('hostile', 1, 10, true)
    await ledger.settle('hostile', 0, {
      state: 'failed',
      bytes: 0,
      error: { code: 'SOURCE_DENIED', message: evil, path: evil },
    })
    const { text, headers, json } = await board.ask('/api/batches/hostile', { headers: operator })
    expect(headers['content-type']).toBe('application/json; charset=utf-8')
    expect(headers['x-content-type-options']).toBe('nosniff')
    // eslint-disable-next-line no-control-regex -- these are what must not be there
    expect(text).not.toMatch(/[\u0000-\u001f\u202e]/)
    expect(json()).toMatchObject({ failures: [{ examples: [{ path: evil, message: evil }] }] })
    const found = await board.ask('/api/batches/hostile/items?q=SCRIPT', { headers: operator })
    const [hit] = found.text.trim().split('\n')
    expect(JSON.parse(hit ?? '')).toMatchObject({ item: { path: evil, dataset: `doi:10.5072/${evil}`, message: evil } })
    const table = await board.ask('/api/batches/hostile/failures.csv', { headers: operator })
    expect(table.text).toContain('onerror')
    expect(table.text.split(/[\r\n,]+/)).not.toContainEqual(expect.stringMatching(/^"?[=+@-]/))
    expect(table.headers['content-type']).toBe('text/csv; charset=utf-8')
    // eslint-disable-next-line no-control-regex -- these are what must not be there
    for (const { text } of [found, table]) expect(text).not.toMatch(/[\u0000-\u0009\u000b\u000c\u000e-\u001f\u202e]/)
    await ledger.forget('hostile')
  })

  it('no answer lets a page run, style, frame or send what is not ours', async () => {
    for (const path of ['/', '/link', '/batches/%3Cscript%3E', '/api/overview', '/nothing', '/healthz']) {
      const { headers } = await board.ask(path, { headers: operator })
      const policy = String(headers['content-security-policy'])
      expect(policy).toContain("default-src 'none'")
      expect(policy).toContain("script-src 'self'")
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).not.toMatch(/unsafe|\*|https?:|data:/)
      expect(headers['x-frame-options']).toBe('DENY')
      expect(headers['referrer-policy']).toBe('no-referrer')
      expect(headers['access-control-allow-origin']).toBeUndefined()
    }
  })
})

it('500 event streams leave the dashboard alive, and a place for the next page once they have gone', async () => {
  const { hostname, port } = new URL(board.url)
  const open = (): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      request({ hostname, port, path: '/api/events', headers: operator, agent: false }, resolve)
        .on('error', reject)
        .end()
    })
  const streams = await Promise.all(Array.from({ length: 500 }, open))
  const refused = streams.filter(({ statusCode }) => statusCode === 503)
  expect(refused.length).toBeGreaterThanOrEqual(400)
  expect(streams.length - refused.length).toBeGreaterThanOrEqual(16)
  expect(refused[0]?.headers['retry-after']).toBe('5')
  expect((await board.ask('/api/overview', { headers: operator })).status).toBe(200)
  for (const stream of streams) stream.destroy()
  await expect
    .poll(async () => {
      const again = await open()
      again.destroy()
      return again.statusCode
    })
    .toBe(200)
})

it('another interface is not listened on without a token', async () => {
  await expect(openTestDashboard(redis, ['--host', '0.0.0.0'])).rejects.toThrow(/ended with 2: .*--viewer-token-file/s)
})

it('a token file that others can read, or that holds no token, is refused', async () => {
  const file = join(board.folder, 'bad')
  await writeFile(file, 'viewer-token-0123456789', { mode: 0o644 })
  await expect(openTestDashboard(redis, ['--viewer-token-file', file])).rejects.toThrow(/chmod 600/)
  const short = join(board.folder, 'short')
  await writeFile(short, 'short', { mode: 0o600 })
  await expect(openTestDashboard(redis, ['--viewer-token-file', short])).rejects.toThrow(/16 to 200/)
})
