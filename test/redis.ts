import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { RedisClient } from '../src/ledger/redis/client.ts'
import { connect } from '../src/queue/connection.ts'
import { socketUrl } from '../src/queue/redis-url.ts'

/** A Redis for one test file. Its members can be used from `beforeAll` on. */
export interface TestRedis {
  readonly url: string
  /** A hash-tagged prefix that nobody else uses. */
  readonly prefix: string
  /** Connected, made anew for the file, and closed after it. */
  readonly client: RedisClient
}

interface Service {
  readonly url: string
  stop(): Promise<void>
}

/**
 * Gives the calling test file a Redis: `REDIS_URL` if it is set, else a private server on a unix socket if the machine
 * has one, else a container. Without any of them the tests fail.
 */
export function useRedis(): TestRedis {
  const prefix = `{test-${randomBytes(6).toString('hex')}}`
  let service: Service | undefined
  let client: RedisClient | undefined
  beforeAll(async () => {
    service = await startService()
    client = await connect({ url: service.url, role: 'worker' })
  })
  afterAll(async () => {
    if (client) {
      await removeKeys(client, prefix)
      client.disconnect()
    }
    await service?.stop()
  })
  return {
    prefix,
    get url() {
      return present(service).url
    },
    get client() {
      return present(client)
    },
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('useRedis() can be used from beforeAll on, and before it at no time.')
  return value
}

async function startService(): Promise<Service> {
  const given = process.env['REDIS_URL']
  if (given) return { url: given, stop: () => Promise.resolve() }
  const binary = await findRedis()
  return binary === undefined ? startContainer() : startPrivate(binary)
}

/** `redis-server` or `valkey-server` on PATH. */
export async function findRedis(names = ['redis-server', 'valkey-server']): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    try {
      await access(path, constants.X_OK)
      return path
    } catch {
      // Not here; perhaps in the next folder.
    }
  }
  return undefined
}

async function startPrivate(binary: string): Promise<Service> {
  const folder = await mkdtemp(join(tmpdir(), 'df-redis-'))
  const socket = join(folder, 's')
  const server = await startServer(binary, ['--port', '0', '--unixsocket', socket, '--dir', folder])
  return {
    url: socketUrl(socket),
    async stop() {
      await stopServer(server)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Starts a server and resolves when it says that it is ready. `plain` ones keep no files and say so on standard output. */
export async function startServer(binary: string, settings: readonly string[], plain = true): Promise<ChildProcess> {
  const args = plain ? ['--save', '', '--loglevel', 'notice', '--logfile', '', ...settings] : settings
  const server = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  const ready = new Promise<void>((resolve, reject) => {
    const hear = (chunk: Buffer): void => {
      said += chunk.toString()
      if (/ready to accept connections|Sentinel ID is/i.test(said)) resolve()
    }
    server.stdout.on('data', hear)
    server.stderr.on('data', hear)
    server.once('error', reject)
    server.once('exit', (code) => reject(new Error(`${binary} ended with ${String(code)}: ${said}`)))
  })
  await ready
  return server
}

export async function stopServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exit = once(server, 'exit')
  server.kill('SIGKILL')
  await exit
}

async function startContainer(): Promise<Service> {
  const { GenericContainer, Wait } = await import('testcontainers')
  try {
    const container = await new GenericContainer('redis:7-alpine')
      .withExposedPorts(6379)
      .withWaitStrategy(Wait.forLogMessage('Ready to accept connections'))
      .start()
    const url = `redis://${container.getHost()}:${container.getMappedPort(6379)}`
    return { url, stop: () => container.stop().then(() => undefined) }
  } catch (cause) {
    const ways = 'set REDIS_URL, install redis-server or valkey-server, or start Docker'
    throw new Error(`These tests need a Redis: ${ways}.`, { cause })
  }
}

async function removeKeys(client: RedisClient, prefix: string): Promise<void> {
  const nodes = 'nodes' in client ? client.nodes('master') : [client]
  for (const node of nodes) {
    for await (const keys of node.scanStream({ match: `${prefix}:*`, count: 1000 })) {
      if (Array.isArray(keys) && keys.length > 0) await node.unlink(...keys.map(String))
    }
  }
}
