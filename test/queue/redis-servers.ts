import { execFile, type ChildProcess } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { afterAll, beforeAll } from 'vitest'
import { findRedis, startServer, stopServer } from '../redis.ts'

/** Real servers of every kind, in one temporary folder; all of them end with the test file. */
export interface RedisServers {
  /** Path of a file or folder of its own. */
  path(name: string): string
  /** Starts a server with command-line settings. */
  start(settings: readonly string[]): Promise<ChildProcess>
  /** A certificate that nobody but us has signed, for localhost, with its key. */
  certificate(): Promise<{ key: string; cert: string; pem: string }>
  /** A master that wants `password`, with a sentinel that watches it as `main` and wants it too unless it is open. */
  sentinel(password: string, isOpen: boolean): Promise<{ port: number }>
  /** Three masters that share the slots. */
  cluster(): Promise<{ ports: number[] }>
}

const LOOPBACK = ['--bind', '127.0.0.1']

/** Called at the top of a test file; the servers can be started from `beforeAll` on. */
export function useRedisServers(): RedisServers {
  const running: ChildProcess[] = []
  let binary = ''
  let folder = ''
  beforeAll(async () => {
    const found = await findRedis()
    if (found === undefined) throw new Error('These tests start servers: install redis-server or valkey-server.')
    binary = found
    folder = await mkdtemp(join(tmpdir(), 'df-servers-'))
  })
  afterAll(async () => {
    await Promise.all(running.map(stopServer))
    await rm(folder, { recursive: true, force: true })
  })
  const path = (name: string): string => join(folder, name)
  const start = async (settings: readonly string[], ...first: string[]): Promise<ChildProcess> => {
    const server = await startServer(binary, [...first, '--dir', folder, ...settings])
    running.push(server)
    return server
  }
  return {
    path,
    start: (settings) => start(settings),
    certificate: () => makeCertificate(path),
    async sentinel(password, isOpen) {
      const master = await freePort()
      await start(['--port', String(master), ...LOOPBACK, '--requirepass', password])
      const port = await freePort()
      const config = [
        `port ${port}`,
        'bind 127.0.0.1',
        ...(isOpen ? [] : [`requirepass ${password}`]),
        `sentinel monitor main 127.0.0.1 ${master} 1`,
        `sentinel auth-pass main ${password}`,
      ]
      await writeFile(path(`sentinel-${port}.conf`), config.join('\n'))
      running.push(await startServer(binary, [path(`sentinel-${port}.conf`), '--sentinel'], false))
      return { port }
    },
    async cluster() {
      const ports: number[] = []
      for (let i = 0; i < 3; i += 1) ports.push(await freePort())
      const nodes = ports.map((port, i) => ['--port', String(port), ...LOOPBACK, '--cluster-config-file', `node${i}`])
      await Promise.all(nodes.map((settings) => start([...settings, '--cluster-enabled', 'yes'])))
      await formCluster(ports)
      return { ports }
    },
  }
}

/** A port of the loopback that is free now, as is the one 10,000 above, which a cluster's node takes too. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

async function makeCertificate(path: (name: string) => string): Promise<{ key: string; cert: string; pem: string }> {
  const [key, cert] = [path('key.pem'), path('cert.pem')]
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  await promisify(execFile)('openssl', [...request, ...subject, '-keyout', key, '-out', cert])
  return { key, cert, pem: await readFile(cert, 'utf8') }
}

async function formCluster(ports: readonly number[]): Promise<void> {
  const nodes = ports.map((port) => new Redis(port, '127.0.0.1'))
  const [first] = ports
  const share = Math.ceil(16_384 / nodes.length)
  await Promise.all(
    nodes.map(async (node, i) => {
      const slots = Array.from({ length: Math.min(share, 16_384 - i * share) }, (_, slot) => i * share + slot)
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
      await node.call('CLUSTER', 'ADDSLOTS', ...slots)
    }),
  )
  // Only now: a node that knows another one refuses to be given an epoch.
  await Promise.all(nodes.slice(1).map((node) => node.call('CLUSTER', 'MEET', '127.0.0.1', String(first))))
  const isWhole = async (node: Redis): Promise<boolean> => {
    const info = String(await node.call('CLUSTER', 'INFO'))
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`)
  }
  while (!(await Promise.all(nodes.map(isWhole))).every(Boolean))
    await new Promise((resolve) => setTimeout(resolve, 50))
  for (const node of nodes) node.disconnect()
}
