import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
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

const CHILD = fileURLToPath(new URL('redis.child.ts', import.meta.url))
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
  // A keeper that has lost its server may still be writing.
  await rm(stateDir, { recursive: true, force: true, maxRetries: 10 })
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

it('neither the server nor its keeper has anything of the environment that could be a secret', async () => {
  await child('0.1', {
    DATAVERSE_API_TOKEN: 'hunter2',
    AWS_SECRET_ACCESS_KEY: 'hunter2',
    REDIS_URL: 'redis://:hunter2@h',
  })
  const server = await serverOf()
  const kept = await keepersOf(server)
  expect(kept).toHaveLength(1)
  for (const pid of [server.pid, ...kept]) {
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1')
    expect(environment).not.toMatch(/hunter2|TOKEN|AWS/)
  }
  expect(await readFile(`/proc/${kept[0]}/environ`, 'latin1')).toMatch(/^PATH=[^\0]*\0(PWD=[^\0]*\0)?$/)
})

it('a keeper that is killed is replaced, so that the server does not outlive those that use it', async () => {
  const { process: only } = await child('0.1')
  const server = await serverOf()
  const killed = await keepersOf(server)
  for (const keeper of killed) process.kill(keeper, 'SIGKILL')
  await until(async () => (await keepersOf(server)).some((keeper) => !killed.includes(keeper)))
  await kill(only)
  await gone(server)
})

it('a process that got the number of a killed one does not keep the server alive', async () => {
  const { process: only } = await child('0.1')
  const server = await serverOf()
  const { space } = server
  const reused = JSON.stringify({ ...server, pid: process.pid, startTime: '1' })
  await writeFile(join(stateDir, 'redis', 'clients', `${space}.0000.${process.pid}`), reused)
  await kill(only)
  await gone(server)
})

it('a server whose starter is killed at any moment does not stay', async () => {
  for (let i = 0; i < 8; i += 1) {
    const starting = forkProgram(CHILD, [stateDir, PATH, '0.1'])
    children.push(starting)
    await until(async () => (await readdir(stateDir)).includes('redis') || starting.exitCode !== null)
    await new Promise((resolve) => setTimeout(resolve, i * 12))
    await kill(starting)
    await until(async () => (await processesIn(stateDir)).length === 0)
  }
})

it('what somebody planted in the state folder is not followed, and its rights are left alone', async () => {
  const elsewhere = join(stateDir, 'elsewhere')
  await mkdir(elsewhere, { mode: 0o755 })
  await symlink(elsewhere, join(stateDir, 'redis'))
  await expect(start()).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
  expect((await stat(elsewhere)).mode & 0o777).toBe(0o755)
  await rm(join(stateDir, 'redis'))
  await mkdir(join(stateDir, 'redis'))
  for (const name of ['redis.conf', 'server.json']) await symlink(join(elsewhere, name), join(stateDir, 'redis', name))
  await write('works', await start())
  expect(await readdir(elsewhere)).toEqual([])
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
  await expect(start()).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
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
    code: 'STATE_UNAVAILABLE',
    message: `The state folder ${folder} cannot be used: a part of its path is not a folder.`,
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

/** Keepers of a server: its child, or a shell with a session of its own. What a keeper forks is neither. */
async function keepersOf(server: ProcessIdentity): Promise<number[]> {
  const found: number[] = []
  for (const pid of (await processesIn(stateDir)).map(Number)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
    const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const leads = Number(parent) === server.pid || (pid !== server.pid && Number(session) === pid)
    if (state !== 'Z' && leads) found.push(pid)
  }
  return found
}

/** Processes that work in a state folder: servers and keepers. */
async function processesIn(folder: string): Promise<string[]> {
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const folders = await Promise.all(names.map((name) => readlink(`/proc/${name}/cwd`).catch(() => '')))
  return names.filter((_, i) => folders[i] === join(folder, 'redis'))
}

async function child(
  seconds = '15',
  env: Readonly<Record<string, string>> = {},
): Promise<{ url: string; process: ChildProcess }> {
  const process = forkProgram(CHILD, [stateDir, PATH, seconds], env)
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
