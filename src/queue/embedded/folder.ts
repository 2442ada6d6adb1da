import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { systemCode } from '../../errors.ts'
import { makeFolders } from '../../make-folders.ts'
import { stateUnavailable } from '../redis-error.ts'

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
  await makeFolders(stateDir, 0o700)
  for (const folder of [root, clients]) await ownFolder(stateDir, folder)
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
  // Made anew: a link in its place is not followed.
  await rm(config, { force: true })
  await writeFile(config, settings.map((pair) => pair.join(' ')).join('\n') + '\n', { mode: 0o600, flag: 'wx' })
}

/** Makes a folder. A link or a folder of somebody else in its place is not trusted, and its rights are left alone. */
async function ownFolder(stateDir: string, folder: string): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw error
  })
  const found = await lstat(folder)
  if (!found.isDirectory()) throw stateUnavailable(stateDir, `${folder} is not a folder`)
  if (found.uid !== userInfo().uid) throw stateUnavailable(stateDir, `${folder} belongs to another user`)
}

async function socketFolder(root: string): Promise<string> {
  const fits = (folder: string): boolean => Buffer.byteLength(join(folder, 'redis.sock.closing')) <= SOCKET_PATH_MAX
  if (fits(root)) return root
  const hash = createHash('sha256').update(root).digest('hex').slice(0, 12)
  const name = `dataferry-${userInfo().uid}-${hash}`
  const folder = [join(tmpdir(), name), join('/tmp', name)].find(fits)
  if (folder === undefined) throw stateUnavailable(root, 'its path is too long for a unix socket')
  await mkdir(folder, { mode: 0o700 }).catch(() => undefined)
  const { uid, mode, isReal } = await lstat(folder).then((s) => ({ uid: s.uid, mode: s.mode, isReal: s.isDirectory() }))
  // Anybody may make a folder of this name before us in a shared temporary folder, and would own the socket in it.
  if (!isReal || uid !== userInfo().uid || (mode & 0o077) !== 0) throw stateUnavailable(folder, 'it is not ours alone')
  return folder
}

/** @see redis.conf: double quotes with backslash escapes, as in the Redis protocol's inline commands. */
function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
}
