import { readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises'
import { connect as openSocket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { connect } from '../connection.ts'
import { writeConfig, type EmbeddedFolder } from './folder.ts'
import { spawnServer } from './keeper.ts'
import { stateUnavailable } from '../redis-error.ts'
import {
  describeProcess,
  livenessOf,
  ownProcess,
  readIdentity,
  type ProcessIdentity,
} from '../../process/process-identity.ts'
import { socketUrl } from '../redis-url.ts'

export interface ServerOptions {
  readonly binary: string
  /** In the form of `PATH`. */
  readonly path: string
  readonly keeperSeconds: number
  readonly log: Logger | undefined
}

const START_MS = 60_000
const STOP_MS = 10_000
const POLL_MS = 10
/** With less room than this Redis cannot even begin its files. */
const LEAST_ROOM = 64 << 10
/** What cannot be seen from here counts as gone when its file was not touched for this long. */
export const UNSEEN_MS = 60_000

/** Starts the server of a folder unless one listens there already. Only the holder of the folder's lock may call it. */
export async function startServer(folder: EmbeddedFolder, options: ServerOptions): Promise<void> {
  if (await predecessorListens(folder)) return
  const problem = await launch(folder, options)
  if (problem === undefined) return
  const again = (await setDamagedAside(folder, problem, options.log)) ? await launch(folder, options) : problem
  if (again === undefined) return
  const { bavail, bsize } = await statfs(folder.root)
  if (bavail * bsize < LEAST_ROOM) throw stateUnavailable(folder.root, 'no space is left on its disk')
  const message = `Redis could not be started in ${folder.root}: ${again}. Correct that, or give a running one with --redis.`
  throw new DataferryError('REDIS_UNAVAILABLE', message)
}

/** Stops a server cleanly and resolves when its process is gone. */
export async function stopServer({ closing }: EmbeddedFolder, server: ProcessIdentity): Promise<void> {
  signal(server.pid, 'SIGTERM')
  const deadline = performance.now() + STOP_MS
  while ((await livenessOf(server)) !== 'dead' && performance.now() < deadline) await sleep(POLL_MS)
  await rm(closing, { force: true })
}

/** Whether something accepts connections there. */
export function listens(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = openSocket(socket)
    connection.once('connect', () => {
      connection.destroy()
      resolve(true)
    })
    connection.once('error', () => resolve(false))
  })
}

/** Renames; false when there was nothing to rename. */
export async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Milliseconds since a file was touched, or to its time where the clock was set back since; Infinity when it is missing. */
export async function age(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => Math.abs(Date.now() - mtimeMs),
    () => Infinity,
  )
}

/** Waits until an earlier server is gone, since two must never write the same files. @returns true: it listens. */
async function predecessorListens({ root, socket, closing, server, beat }: EmbeddedFolder): Promise<boolean> {
  const deadline = performance.now() + STOP_MS
  for (;;) {
    if (await listens(socket)) return true
    const old = await readIdentity(server)
    const life = old ? await livenessOf(old) : 'dead'
    if (old && life === 'unknown' && (await age(beat)) < UNSEEN_MS) throw inUse(root, old.host)
    if (!old || life !== 'alive') return false
    if (performance.now() > deadline) {
      // The process that was stopping it died in between: restore the name. Or the socket was removed: end the server.
      if ((await listens(closing)) && (await moved(closing, socket))) continue
      signal(old.pid, 'SIGKILL')
    }
    await sleep(POLL_MS)
  }
}

/** @returns why it did not start; undefined: it listens. */
async function launch(folder: EmbeddedFolder, options: ServerOptions): Promise<string | undefined> {
  const { server, socket, closing, log } = folder
  const { binary, path, keeperSeconds: everySeconds } = options
  await Promise.all([socket, closing, log, server].map((file) => rm(file, { force: true })))
  await writeConfig(folder)
  const child = spawnServer(folder, binary, { path, space: (await ownProcess()).space, everySeconds })
  const waiting = new AbortController()
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, by) => resolve(`${binary} ended with ${code ?? by ?? 'an error'}`))
  })
  child.unref()
  const identity = child.pid === undefined ? undefined : JSON.stringify(await describeProcess(child.pid))
  if (identity !== undefined) await writeFile(server, identity, { flag: 'wx' })
  const problem = await Promise.race([ended, answers(socket, waiting.signal)])
  waiting.abort()
  return problem === undefined ? undefined : (await lastWords(log)) || problem
}

/** What the server stored can be rebuilt from the destinations, so damaged files must not be fatal. */
async function setDamagedAside({ root }: EmbeddedFolder, problem: string, log: Logger | undefined): Promise<boolean> {
  if (!/append ?only|AOF|RDB/i.test(problem)) return false
  const kept = `damaged-${Date.now()}`
  // The folder of Redis 7 and Valkey, the file of Redis 6.
  const names = ['appendonlydir', 'appendonly.aof']
  const found = await Promise.all(names.map((name) => moved(join(root, name), join(root, `${name}.${kept}`))))
  if (!found.includes(true)) return false
  log?.warn({ root, kept }, 'The files of the embedded Redis are damaged: it starts empty; run dataferry resume')
  return true
}

/** Redis listens before it has read its files; only its first answer shows that they are sound. */
async function answers(socket: string, done: AbortSignal): Promise<string | undefined> {
  const deadline = performance.now() + START_MS
  while (!(await listens(socket)) && performance.now() < deadline && !done.aborted) await sleep(POLL_MS)
  try {
    const client = await connect({ url: socketUrl(socket), role: 'producer', patienceMs: START_MS, signal: done })
    client.disconnect()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** The complaints among the last lines of a log, without times and process numbers. */
async function lastWords(log: string): Promise<string> {
  const text = await readFile(log, 'utf8').catch(() => '')
  const complaints = text.split('\n').filter((line) => / # |FATAL|error/i.test(line))
  return complaints
    .slice(-5)
    .map((line) => line.replace(/^.*? # /, '').replace(/[.\s]+$/, ''))
    .join('; ')
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (systemCode(error) !== 'ESRCH') throw error
  }
}

function inUse(root: string, host: string): DataferryError {
  const message = `The embedded Redis in ${root} is in use on ${host}; choose another state folder, or give a Redis with --redis.`
  return new DataferryError('REDIS_UNAVAILABLE', message)
}
