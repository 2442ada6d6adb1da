import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer as createRelay, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { interruption } from '../../src/cli/interruption.ts'
import { watchSurroundings } from '../../src/cli/surroundings.ts'
import { load } from '../../src/config/config.ts'
import { LEAST_NODE, nodeProblem } from '../../src/node-version.ts'
import { startDataverse, type StandIn } from '../fakes/dataverse/server.ts'
import { startForwardProxy } from '../fakes/forward-proxy.ts'
import { AUTHORITY_FILE } from '../fakes/tls/index.ts'
import { worldOf } from '../fakes/worlds.ts'
import { useRedis } from '../redis.ts'
import { runInProcess } from './in-process.ts'

const TSX = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href
const source = (path: string): string => fileURLToPath(new URL(`../../src/${path}`, import.meta.url))
const PROGRAM = [process.execPath, '--import', TSX, source('cli/main.ts')]

const redis = useRedis()
let dataverse: StandIn
let cwd: string
beforeAll(async () => {
  const content = { size: 3_000_000, seed: 1 }
  dataverse = await startDataverse({ world: worldOf({ id: 1, label: 'a.bin', content }) })
})
afterAll(() => dataverse.close())
beforeEach(() => (cwd = mkdtempSync(join(tmpdir(), 'df-around-'))))
afterEach(() => rmSync(cwd, { recursive: true, force: true }))

/** Starts a command line as a shell does that was given it. */
function inShell(words: readonly string[], env: Readonly<Record<string, string>> = {}, before = '', after = '') {
  const line = words.map((word) => `'${word}'`).join(' ')
  return spawn('bash', ['-c', `${before} ${line} ${after}`], {
    cwd,
    env: { PATH: process.env['PATH'], REDIS_URL: redis.url, DATAFERRY_PREFIX: redis.prefix, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function ended(child: ReturnType<typeof inShell>) {
  const [exit, out, err] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { code: exit[0] as unknown, out, err }
}

/** A server that hangs up the command that asks it, and answers all the same. */
async function hangingUp(child: () => { kill(signal: 'SIGHUP'): unknown }) {
  const server = createServer((_, response) => {
    child().kill('SIGHUP')
    setTimeout(() => response.writeHead(500).end(), 300)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

describe('when the terminal is closed', () => {
  it('a command stops as at SIGTERM', async () => {
    const started: { child?: ReturnType<typeof inShell> } = {}
    using server = await hangingUp(() => started.child ?? { kill: () => undefined })
    started.child = inShell([...PROGRAM, 'doctor', '--server', server.url], {}, 'exec')
    const { code, err } = await ended(started.child)
    expect([code, err]).toEqual([130, expect.stringContaining('Stopping (SIGHUP).')])
  })

  it('a run under nohup goes on to its end, here through a proxy that the environment names', async () => {
    await using proxy = await startForwardProxy()
    dataverse.set({ bytesPerSecond: 2_000_000 })
    const args = ['run', '1', '--server', dataverse.url, '--to', join(cwd, 'data'), '--json']
    const child = inShell([...PROGRAM, ...args], { HTTP_PROXY: proxy.url }, 'nohup')
    child.stdout.on('data', (chunk: Buffer) => {
      if (/"event":"progress".*"bytes":[1-9]/.test(chunk.toString())) child.kill('SIGHUP')
    })
    const { code, out, err } = await ended(child)
    dataverse.set({ bytesPerSecond: 0 })
    expect([code, err]).toEqual([0, expect.not.stringContaining('SIGHUP')])
    expect(out).toContain('"complete":true')
    expect(proxy.requests.map(({ target }) => new URL(target).origin)).toContain(dataverse.url)
    expect(proxy.requests.length).toBeGreaterThanOrEqual(dataverse.requests.length)
  })

  it('neither does a script around it that ignores the signal lose its command', async () => {
    let pid = 0
    using server = await hangingUp(() => ({ kill: (signal) => process.kill(pid, signal) }))
    const words = [...PROGRAM, 'doctor', '--server', server.url]
    const child = inShell(words, {}, "trap '' HUP;", '& echo $!; wait $!')
    child.stdout.once('data', (chunk: Buffer) => (pid = Number(chunk.toString().split('\n')[0])))
    const { code, err } = await ended(child)
    expect([code, err]).toEqual([1, ''])
  })

  it('a command goes on whose terminal has vanished, and ends with its own exit code', async () => {
    const started: { terminal?: ReturnType<typeof spawn> } = {}
    const server = createServer((_, response) => {
      started.terminal?.kill('SIGKILL')
      setTimeout(() => response.writeHead(500).end(), 300)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const command = [...PROGRAM, 'doctor', '--server', url].join(' ')
    // Away from the terminal's session, as after `disown`: no SIGHUP comes, but writing fails.
    started.terminal = spawn(
      'script',
      ['-qc', `setsid sh -c '${command}; echo $? >code; mv code ended'`, '/dev/null'],
      {
        cwd,
        env: { PATH: process.env['PATH'], REDIS_URL: redis.url, TERM: 'xterm' },
        stdio: ['pipe', 'ignore', 'ignore'],
      },
    )
    await vi.waitUntil(() => existsSync(join(cwd, 'ended')), { timeout: 20_000 })
    server.closeAllConnections()
    server.close()
    expect(readFileSync(join(cwd, 'ended'), 'utf8')).toBe('1\n')
  })

  it.each([
    ['EIO', false, false],
    ['EPIPE', false, true],
    ['EPIPE', true, false],
  ])('%s on standard output (under nohup: %s) stops it: %s', (code, staysOn, stops) => {
    const process = Object.assign(new EventEmitter(), { stdout: new EventEmitter(), stderr: new EventEmitter() })
    const asked = interruption(() => undefined)
    watchSurroundings(asked, process, staysOn)
    const gone = Object.assign(new Error('gone'), { code })
    process.stdout.emit('error', gone)
    process.stderr.emit('error', gone)
    expect(asked.signal.aborted).toBe(stops)
    expect(() => process.stderr.emit('error', new Error('other'))).toThrow('other')
  })
})

describe('a Node.js that is too old', () => {
  const OLD = 'data:text/javascript,Object.defineProperty(process.versions,"node",{value:"18.20.0"})'

  it.each([
    ['the command', 'cli/main.ts', 3],
    ['the health check', 'cli/health.ts', 1],
    ['the library', 'index.ts', 1],
  ])('is told so in one sentence by %s', async (_, path, expected) => {
    const { code, out, err } = await ended(inShell([process.execPath, '--import', TSX, '--import', OLD, source(path)]))
    expect(code).toBe(expected)
    expect(out + err).toContain(`dataferry needs Node.js ${LEAST_NODE} or newer; this is 18.20.0.`)
  })

  it('is the same one that the package names', () => {
    const { engines } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      engines: { node: string }
    }
    expect(nodeProblem(engines.node.replace('>=', ''))).toBeUndefined()
    expect(LEAST_NODE.startsWith(engines.node.replace('>=', ''))).toBe(true)
    expect(['18.20.0', '20.18.3', '20.19.0', '26.0.1'].map((version) => nodeProblem(version) === undefined)).toEqual([
      false,
      false,
      true,
      true,
    ])
  })
})

describe('the network', () => {
  const at = { cwd: '/', home: '/' }
  const problems = (env: Readonly<Record<string, string>>): string => {
    try {
      load({ ...at, env })
      return ''
    } catch (error) {
      return String(error)
    }
  }

  it('proxies come from the usual variables, in both cases, the lower one first', () => {
    const env = { HTTP_PROXY: 'http://upper:1', http_proxy: 'lower:2', HTTPS_PROXY: 'http://tls:3', no_proxy: 'a,b' }
    expect(load({ ...at, env }).network.proxies).toEqual({ http: 'http://lower:2', https: 'http://tls:3', none: 'a,b' })
    expect(problems({ HTTPS_PROXY: 'ftp://x' })).toContain('HTTPS_PROXY: expected the URL of a proxy')
  })

  it('unchecked certificates are refused where a token would be sent, and only there', () => {
    const unchecked = { NODE_TLS_REJECT_UNAUTHORIZED: '0', DATAVERSE_SERVER: 'https://a.example' }
    expect(problems(unchecked)).toBe('')
    const message = problems({ ...unchecked, DATAVERSE_API_TOKEN: 'canary-1' })
    expect(message).toContain('--ca-file')
    expect(message).not.toContain('canary')
  })

  it('the authorities of --ca-file are trusted besides those of Node.js and NODE_EXTRA_CA_CERTS', () => {
    const { ca = [] } = load({
      ...at,
      env: { DATAFERRY_CA_FILE: AUTHORITY_FILE, NODE_EXTRA_CA_CERTS: AUTHORITY_FILE },
    }).network
    expect(ca.length).toBeGreaterThan(50)
    expect(ca.filter((one) => one === readFileSync(AUTHORITY_FILE, 'utf8'))).toHaveLength(2)
    writeFileSync(join(cwd, 'no.pem'), 'nothing')
    expect(problems({ DATAFERRY_CA_FILE: join(cwd, 'no.pem') })).toContain('contains no certificate')
    expect(problems({ DATAFERRY_CA_FILE: join(cwd, 'none.pem') })).toContain('cannot be read')
  })

  it('servers are told who asks', async () => {
    const run = async (...args: readonly string[]) => {
      await runInProcess(
        ['get', '1', '-o', join(cwd, 'got.bin'), '--server', dataverse.url, '-e', 'overwrite', ...args],
        { cwd },
      )
      return dataverse.requests.at(-1)?.userAgent
    }
    expect(await run('--contact', 'archive@example.edu')).toMatch(/^dataferry\/[\d.]+ \(archive@example\.edu\)$/)
    expect(await run('--user-agent', 'mirror/1 of example.edu')).toBe('mirror/1 of example.edu')
  })
})

describe('a job of cron', () => {
  it('needs neither HOME nor LANG nor a terminal, obeys the umask, and reaches a server by IPv6', async () => {
    const relay = createRelay((client) => {
      const { hostname, port } = new URL(dataverse.url)
      const server = connect(Number(port), hostname)
      client.pipe(server).pipe(client)
      for (const socket of [client, server]) socket.on('error', () => undefined)
    })
    await once(relay.listen(0, '::1'), 'listening')
    const address = relay.address()
    const url = `http://[::1]:${typeof address === 'object' && address !== null ? address.port : 0}`
    const args = ['run', '1', '--server', url, '--to', join(cwd, 'data')]
    const { code, out, err } = await ended(inShell([...PROGRAM, ...args], {}, 'umask 027; exec'))
    relay.close()
    expect([code, err]).toEqual([0, expect.stringContaining('Batch command-line-')])
    expect(out).toContain('The file is there')
    const file = join(cwd, 'data', 'doi-10.5072-FK2-TEST', 'a.bin')
    expect([statSync(file).mode & 0o777, statSync(file).size]).toEqual([0o640, 3_000_000])
    // eslint-disable-next-line no-control-regex -- escape sequences are what it looks for
    expect(out + err).not.toMatch(/\x1b/)
  })
})

it('a command that comes to a halt before its end does not end with 0', async () => {
  const program = `import { failUnlessEnded } from '${source('cli/unended.ts')}'; failUnlessEnded(process)`
  const child = inShell([process.execPath, '--import', TSX, '--input-type=module', '-e', program.replaceAll("'", '"')])
  expect(await ended(child)).toEqual({ code: 1, out: '', err: expect.stringContaining('before its end') as string })
})
