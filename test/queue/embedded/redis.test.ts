import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { connect } from '../../../src/queue/connection.ts'
import { startEmbeddedRedis, type EmbeddedRedis } from '../../../src/queue/embedded/redis.ts'
import { listens } from '../../../src/queue/embedded/server.ts'
import { livenessOf, readIdentity, type ProcessIdentity } from '../../../src/process/process-identity.ts'
import { checkRedis } from '../../../src/queue/redis-settings.ts'
import { parseRedisUrl } from '../../../src/queue/redis-url.ts'
import { forkProgram } from '../../node-program.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
const PATH = process.env['PATH'] ?? ''
let stateDir: string
let joined: EmbeddedRedis[] = []
const children: ChildProcess[] = []

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'df-state-'))
})
afterEach(async () => {
  await Promise.all(children.splice(0).map(kill))
  await Promise.all(joined.map((redis) => redis.release()))
  joined = []
  const server = await readIdentity(join(stateDir, 'redis', 'server.json'))
  if (server && (await livenessOf(server)) === 'alive') process.kill(server.pid, 'SIGKILL')
  if (server) await gone(server)
  await rm(stateDir, { recursive: true, force: true })
})

it('it listens on a socket only, keeps what it is told, and lets nobody else in', async () => {
  const { url } = await start()
  // It leads a process group of its own, so Ctrl-C in a terminal does not reach it.
  const { pid } = await serverOf()
  expect(() => process.kill(-pid, 0)).not.toThrow()
  const client = await connect({ url, role: 'producer' })
  expect(await client.config('GET', 'port')).toEqual(['port', '0'])
  expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
  expect((await checkRedis(client)).warnings).toEqual([])
  client.disconnect()
  expect((await stat(join(stateDir, 'redis'))).mode & 0o777).toBe(0o700)
  expect((await stat(parseRedisUrl(url).socket ?? '')).mode & 0o777).toBe(0o700)
})

it('many who start at once share one server, and the last to leave stops it', async () => {
  const all = await Promise.all([start(), start(), ...Array.from({ length: 4 }, () => child())])
  const server = await serverOf()
  expect(new Set(all.map(({ url }) => url)).size).toBe(1)
  expect(await processes(all[0].url)).toBe(server.pid)
  await Promise.all(children.map(leave))
  await joined[0]?.release()
  expect(await livenessOf(server)).toBe('alive')
  await joined[1]?.release()
  expect(await livenessOf(server)).toBe('dead')
})

it('what was stored is there at the next start', async () => {
  await write('kept', await start())
  await joined[0]?.release()
  expect(await read('kept', await start())).toBe('yes')
})

it('whoever was killed does not keep it alive, and whoever still uses it does', async () => {
  const redis = await start()
  const { process: other } = await child()
  await kill(other)
  const server = await serverOf()
  await redis.release()
  expect(await livenessOf(server)).toBe('dead')
})

it('a server that everybody left by being killed is stopped by its keeper', async () => {
  const { process: only } = await child('0.1')
  const server = await serverOf()
  await kill(only)
  await gone(server)
  expect(await listens(join(stateDir, 'redis', 'redis.sock'))).toBe(false)
})

it('a killed server is started again by the next to come, and again under those who use it', async () => {
  const first = await start()
  await write('kept', first)
  const server = await serverOf()
  process.kill(server.pid, 'SIGKILL')
  await gone(server)
  const client = await connect({ url: first.url, role: 'worker' })
  expect(await client.get('kept')).toBe('yes')
  client.disconnect()
  expect((await serverOf()).pid).not.toBe(server.pid)
})

it('half a command at the end of its file is dropped; files that are damaged within are set aside', async () => {
  const first = await start()
  await write('kept', first)
  await first.release()
  const folder = join(stateDir, 'redis', 'appendonlydir')
  const file = (await readdir(folder)).find((name) => name.endsWith('.incr.aof')) ?? ''
  await appendFile(join(folder, file), '*3\r\n$3\r\nSET\r\n$4\r\nha')
  const second = await start()
  expect(await read('kept', second)).toBe('yes')
  await second.release()
  await writeFile(join(folder, file), 'not at all what Redis writes\r\n')
  const third = await start()
  expect(await read('kept', third)).toBeNull()
  expect((await readdir(join(stateDir, 'redis'))).some((name) => name.startsWith('appendonlydir.damaged-'))).toBe(true)
})

it('a process that was killed while it started the server leaves no lock behind', async () => {
  for (let i = 0; i < 5; i += 1) {
    const starting = forkProgram(CHILD, [stateDir, PATH])
    children.push(starting)
    await until(async () => (await readdir(stateDir)).includes('redis') || starting.exitCode !== null)
    await new Promise((resolve) => setTimeout(resolve, i * 15))
    await kill(starting)
  }
  await write('works', await start())
})

it('a state folder with a long path gets its socket in a short one of its own', async () => {
  stateDir = join(stateDir, 'x'.repeat(90), 'y z"\\'.repeat(8))
  await mkdir(stateDir, { recursive: true })
  const redis = await start()
  const socket = parseRedisUrl(redis.url).socket ?? ''
  expect(socket.length).toBeLessThan(100)
  await write('works', redis)
  const folder = join(socket, '..')
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  await redis.release()
  await rm(folder, { recursive: true })
  await symlink(tmpdir(), folder)
  await expect(start()).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  await rm(folder)
  stateDir = join(stateDir, '../..')
})

it('a server that another machine uses is not started a second time', async () => {
  const redis = await start()
  await redis.release()
  const server = await serverOf()
  const foreign = { ...server, host: 'elsewhere', space: 'another boot' }
  await writeFile(join(stateDir, 'redis', 'server.json'), JSON.stringify(foreign))
  await writeFile(join(stateDir, 'redis', 'beat'), '')
  await expect(start()).rejects.toThrow(/in use on elsewhere/)
  await writeFile(join(stateDir, 'redis', 'server.json'), JSON.stringify(server))
})

it('a state folder that cannot be used is named, with what is wrong and what to do', async () => {
  await writeFile(join(stateDir, 'file'), '')
  const folder = join(stateDir, 'file', 'below')
  await expect(startEmbeddedRedis({ stateDir: folder, path: PATH })).rejects.toMatchObject({
    code: 'REDIS_UNAVAILABLE',
    message: `Redis cannot be started in ${folder}: there is something in its way that is no folder (ENOTDIR).`,
    advice: expect.stringContaining('--state-dir') as string,
  })
})

it('a binary that does not run is said so, with its own words', async () => {
  const binary = join(stateDir, 'redis-server')
  await writeFile(binary, '#!/bin/sh\nexit 3\n', { mode: 0o755 })
  const refusal = startEmbeddedRedis({ stateDir, path: stateDir })
  await expect(refusal).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  await expect(refusal).rejects.toThrow(/ended with 3/)
})

it('without a binary the error says how to get one', async () => {
  const refusal = startEmbeddedRedis({ stateDir, path: join(stateDir, 'nothing') })
  await expect(refusal).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' })
  await expect(refusal).rejects.toThrow(/install one \(.+\), or give a running Redis with --redis/)
})

async function start(): Promise<EmbeddedRedis> {
  const redis = await startEmbeddedRedis({ stateDir, path: PATH })
  joined.push(redis)
  return redis
}

async function child(seconds = '15'): Promise<{ url: string; process: ChildProcess }> {
  const process = forkProgram(CHILD, [stateDir, PATH, seconds])
  children.push(process)
  const [message] = (await once(process, 'message')) as [{ url?: string; error?: string }]
  if (message.url === undefined) throw new Error(message.error)
  return { url: message.url, process }
}

async function leave(one: ChildProcess): Promise<void> {
  const exit = once(one, 'exit')
  one.send('leave')
  await exit
}

async function kill(one: ChildProcess): Promise<void> {
  if (one.exitCode !== null || one.signalCode !== null) return
  const exit = once(one, 'exit')
  one.kill('SIGKILL')
  await exit
}

async function serverOf(): Promise<ProcessIdentity> {
  const server = await readIdentity(join(stateDir, 'redis', 'server.json'))
  if (!server) throw new Error(await readFile(join(stateDir, 'redis', 'redis.log'), 'utf8'))
  return server
}

async function processes(url: string): Promise<number> {
  const client = await connect({ url, role: 'producer' })
  const info = await client.info('server')
  client.disconnect()
  return Number(/process_id:(\d+)/.exec(info)?.[1])
}

async function write(key: string, { url }: EmbeddedRedis): Promise<void> {
  const client = await connect({ url, role: 'producer' })
  await client.set(key, 'yes')
  // Acknowledged writes reach the file within a second; the test wants them there now.
  await client.call('WAITAOF', 1, 0, 5000).catch(() => client.config('SET', 'appendfsync', 'always'))
  client.disconnect()
}

async function read(key: string, { url }: EmbeddedRedis): Promise<string | null> {
  const client = await connect({ url, role: 'producer' })
  const value = await client.get(key)
  client.disconnect()
  return value
}

async function gone(server: ProcessIdentity): Promise<void> {
  await until(async () => (await livenessOf(server)) === 'dead')
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10))
}
