import { inspect } from 'node:util'
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import type { RedisClient } from '../../src/ledger/redis/client.ts'
import { connect, type ConnectOptions } from '../../src/queue/connection.ts'
import { redisError } from '../../src/queue/redis-error.ts'
import { socketUrl } from '../../src/queue/redis-url.ts'
import { stopServer } from '../redis.ts'
import { freePort, useRedisServers } from './redis-servers.ts'

const PASSWORD = 'pa:ss/w0rd'
const LOGIN = encodeURIComponent(PASSWORD)
const servers = useRedisServers()

describe('a connection is made', () => {
  it('over a unix socket', async () => {
    const socket = servers.path('plain.sock')
    await servers.start(['--port', '0', '--unixsocket', socket])
    await works(socketUrl(socket))
    await works(`redis+socket://${socket}?db=3`)
  })

  it('over TCP with a password, in another database', async () => {
    const port = await freePort()
    await servers.start(['--port', String(port), '--bind', '127.0.0.1', '--requirepass', PASSWORD])
    await works(`redis://:${LOGIN}@127.0.0.1:${port}/2`)
    await works(`redis://default:${LOGIN}@localhost:${port}`)
    const wrong = await refused({ url: `redis://:hunter2@127.0.0.1:${port}`, role: 'worker' })
    expect(wrong.message).toMatch(/WRONGPASS/)
    expect((await refused({ url: `redis://127.0.0.1:${port}`, role: 'worker' })).message).toMatch(/NOAUTH/)
  })

  it('over TLS with a certificate authority of one’s own, and not without it', async () => {
    const { key, cert, pem } = await servers.certificate()
    const port = await freePort()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
    await servers.start(['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no', ...files])
    await works(`rediss://localhost:${port}`, pem)
    expect((await refused({ url: `rediss://localhost:${port}`, role: 'worker' })).message).toMatch(/certificate/)
  })

  it('to the master that a sentinel names, whether the sentinel wants the password or not', async () => {
    for (const isOpen of [false, true]) {
      const { port } = await servers.sentinel(PASSWORD, isOpen)
      await works(`redis+sentinel://:${LOGIN}@127.0.0.1:${port}/main`)
      const wrong = await refused({ url: `redis+sentinel://:hunter2@127.0.0.1:${port}/main`, role: 'worker' })
      expect(wrong.message).toMatch(/cannot be used: (WRONGPASS|NOAUTH)/)
    }
  })

  it('to a cluster, from any of its nodes', async () => {
    const { ports } = await servers.cluster()
    await works(`redis+cluster://127.0.0.1:${String(ports[1])}`)
    await works(`redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`)
  })
})

describe('without Redis', () => {
  it('the error names the place and the next step, and nothing in it holds the password', async () => {
    const port = await freePort()
    const urls = [`redis://u:hunter2@127.0.0.1:${port}`, `redis+cluster://:hunter2@127.0.0.1:${port}`]
    const sentinel = `redis+sentinel://:hunter2@127.0.0.1:${port}/main`
    for (const url of [...urls, sentinel, socketUrl(servers.path('none.sock'))]) {
      const error = await refused({ url, role: 'producer', patienceMs: 300 })
      expect(error.message).toMatch(
        /^Redis at (redis|unix).* cannot be used: .+\. Start it, or give another with --redis\.$/,
      )
    }
  })

  it('waiting for the first connection ends with the caller’s signal', async () => {
    const stop = new AbortController()
    const waiting = connect({ url: `redis://127.0.0.1:${await freePort()}`, role: 'worker', signal: stop.signal })
    stop.abort(new DataferryError('INTERRUPTED', 'Stop.'))
    await expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' })
  })

  it('a worker’s command waits until Redis is back, a producer’s fails soon', async () => {
    const settings = ['--port', '0', '--unixsocket', servers.path('restart.sock')]
    const url = socketUrl(servers.path('restart.sock'))
    const server = await servers.start(settings)
    const [worker, producer] = await Promise.all([connect({ url, role: 'worker' }), connect({ url, role: 'producer' })])
    const lost = Promise.all([once(worker, 'close'), once(producer, 'close')])
    await stopServer(server)
    await lost
    const waiting = worker.set('key', 'value')
    const failure = await producer.get('key').catch((error: unknown) => redisError(error, { url }))
    expect(failure).toMatchObject({ code: 'REDIS_UNAVAILABLE' })
    await servers.start(settings)
    expect(await waiting).toBe('OK')
    expect(await producer.get('key')).toBe('value')
    for (const client of [worker, producer]) client.disconnect()
  })
})

async function works(url: string, ca?: string): Promise<void> {
  for (const role of ['producer', 'worker'] as const) {
    const client: RedisClient = await connect({ url, role, ...(ca === undefined ? {} : { ca }) })
    await client.set('{dataferry}:key', role)
    expect(await client.get('{dataferry}:key')).toBe(role)
    client.disconnect()
  }
}

async function refused(options: ConnectOptions): Promise<DataferryError> {
  const error = await connect(options).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof DataferryError)) throw new Error('It was not refused as it should be.', { cause: error })
  expect(error.code).toBe('REDIS_UNAVAILABLE')
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('hunter2')
  return error
}
