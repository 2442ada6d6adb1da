import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'

/** Where the parts of an embedded Redis are. */
export interface EmbeddedFolder {
  readonly root: string
  /** Unix socket of the running server. */
  readonly socket: string
  /** Name of the socket while its server is about to be stopped, so that no new client finds it. */
  readonly closing: string
  /** Identity of the server process. */
  readonly server: string
  /** Touched every few seconds by the keeper. */
  readonly beat: string
  /** A file for each process that uses the server. */
  readonly clients: string
  readonly config: string
  readonly log: string
}

/** The shortest limit for a socket path among known systems is 104 bytes, including the terminating zero (macOS). */
const SOCKET_PATH_MAX = 103

/** Makes the folders of an embedded Redis, readable only by this user, and writes the server's settings. */
export async function prepareFolder(stateDir: string): Promise<EmbeddedFolder> {
  const root = resolve(stateDir, 'redis')
  const clients = join(root, 'clients')
  await mkdir(clients, { recursive: true, mode: 0o700 })
  await chmod(root, 0o700)
  const socket = join(await socketFolder(root), 'redis.sock')
  const at = (name: string): string => join(root, name)
  const folder = { root, clients, socket, closing: `${socket}.closing` }
  const files = { server: at('server.json'), beat: at('beat'), config: at('redis.conf'), log: at('redis.log') }
  return { ...folder, ...files }
}

/** Settings of the embedded server. Everything it stores can be rebuilt from the destinations, so losing one second is fine. */
export async function writeConfig({ root, socket, config, log }: EmbeddedFolder): Promise<void> {
  const settings = [
    ['port', '0'],
    ['unixsocket', quote(socket)],
    ['unixsocketperm', '700'],
    ['dir', quote(root)],
    ['logfile', quote(log)],
    ['daemonize', 'no'],
    ['databases', '1'],
    // How often a second it looks whether it was told to end, among other things: somebody waits for that.
    ['hz', '50'],
    ['save', '""'],
    ['appendonly', 'yes'],
    ['appendfsync', 'everysec'],
    // A killed server leaves half a command at the end of its file; it was never acknowledged as durable.
    ['aof-load-truncated', 'yes'],
    ['auto-aof-rewrite-percentage', '100'],
    ['auto-aof-rewrite-min-size', '32mb'],
    ['maxmemory', '512mb'],
    ['maxmemory-policy', 'noeviction'],
  ]
  await writeFile(config, settings.map((pair) => pair.join(' ')).join('\n') + '\n', { mode: 0o600 })
}

async function socketFolder(root: string): Promise<string> {
  const fits = (folder: string): boolean => Buffer.byteLength(join(folder, 'redis.sock.closing')) <= SOCKET_PATH_MAX
  if (fits(root)) return root
  const hash = createHash('sha256').update(root).digest('hex').slice(0, 12)
  const name = `dataferry-${userInfo().uid}-${hash}`
  const folder = [join(tmpdir(), name), join('/tmp', name)].find(fits)
  if (folder === undefined) throw unusable(root, 'its path is too long for a unix socket')
  await mkdir(folder, { mode: 0o700 }).catch(() => undefined)
  const { uid, mode, isReal } = await lstat(folder).then((s) => ({ uid: s.uid, mode: s.mode, isReal: s.isDirectory() }))
  // In a shared temporary folder anybody could create a folder of this name first, and would own the socket in it.
  if (!isReal || uid !== userInfo().uid || (mode & 0o077) !== 0) throw unusable(folder, 'it is not this user’s alone')
  return folder
}

function unusable(folder: string, why: string, cause?: unknown): DataferryError {
  const message = `Redis cannot be started in ${folder}: ${why}.`
  const advice =
    'Make room there or correct its rights; or choose another folder with --state-dir, or a Redis with --redis.'
  return new DataferryError('REDIS_UNAVAILABLE', message, { advice, cause })
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left there',
  EDQUOT: 'no space is left there for this user',
  EROFS: 'it is on a file system that is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOTDIR: 'there is something in its way that is no folder',
  EEXIST: 'there is something in its way that is no folder',
}

/** Does what needs the folder of an embedded Redis. What the file system refuses there is `REDIS_UNAVAILABLE`. */
export async function inStateFolder<T>(stateDir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = systemCode(error)
    if (code === undefined || error instanceof DataferryError) throw error
    const why = Object.hasOwn(REASONS, code) ? REASONS[code] : messageOf(error)
    throw unusable(stateDir, `${why} (${code})`, error)
  }
}

/** @see redis.conf: double quotes with backslash escapes, as in the Redis protocol's inline commands. */
function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
}
