import { DataferryError } from '../errors.ts'

/** Where Redis is, from a URL. Holds the password: never print it, print `redisLabel`. */
export interface RedisTarget {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  /** The servers, or the sentinels that know them. Empty for a socket. */
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  /** Path of a unix socket. */
  readonly socket: string | undefined
  readonly tls: boolean
  readonly username: string | undefined
  readonly password: string | undefined
  readonly db: number
  /** Name of the group that the sentinels watch. */
  readonly group: string | undefined
}

const SCHEME = /^(rediss?)(?:\+(sentinel|cluster|socket))?$|^unix$/
const FORMS =
  'redis://host:6379/0, rediss://…, unix:///path/to/socket, redis+sentinel://host:26379,host:26379/group or redis+cluster://host:6379,host:6379'

/**
 * Reads the URL forms for a Redis. User and password come before an `@`, percent-encoded.
 * A socket may take `?db=n`, `redis+sentinel` a group and a database: `/group/0`.
 * Throws `CONFIG_INVALID`, without repeating its input: it may contain a password.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const parts = /^([a-z+]+):\/\/(?:([^@/]*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i.exec(url.trim())
  const scheme = SCHEME.exec(parts?.[1]?.toLowerCase() ?? '')
  if (!parts || !scheme) throw invalid(`it is not one of the known forms (${FORMS})`)
  const [, , login, hosts = '', path = '', query] = parts
  const type = scheme[0] === 'unix' ? 'socket' : scheme[2]
  const base = { ...credentials(login), tls: scheme[1] === 'rediss' }
  if (type === 'socket') return { ...base, ...socket(hosts, path, query) }
  const segments = path.split('/').filter((segment) => segment !== '')
  const nodes = hosts.split(',').map((host) => node(host, type === 'sentinel' ? 26379 : 6379))
  const kind = type === 'sentinel' || type === 'cluster' ? type : 'single'
  if (kind === 'single' && nodes.length > 1) throw invalid('several hosts need redis+cluster:// or redis+sentinel://')
  const group = kind === 'sentinel' ? decode(segments.shift() ?? '') : undefined
  if (group === '') throw invalid('redis+sentinel:// needs the name of the group after the hosts: /name')
  const db = database(segments.shift())
  if (kind === 'cluster' && db !== 0) throw invalid('a cluster has only database 0')
  if (segments.length > 0) throw invalid('its path has too many parts')
  return { ...base, kind, nodes, socket: undefined, db, group }
}

/** The same place for people, without user and password. */
export function redisLabel({ kind, nodes, socket, tls, db, group }: RedisTarget): string {
  if (socket !== undefined) return `unix://${socket}`
  const scheme = `redis${tls ? 's' : ''}${kind === 'single' ? '' : `+${kind}`}`
  const hosts = nodes.map(({ host, port }) => `${host.includes(':') ? `[${host}]` : host}:${port}`).join(',')
  return `${scheme}://${hosts}${group === undefined ? '' : `/${group}`}${db === 0 ? '' : `/${db}`}`
}

/** The URL of a unix socket, for any path. */
export function socketUrl(path: string): string {
  return `unix://${path.split('/').map(encodeURIComponent).join('/')}`
}

function credentials(login: string | undefined): Pick<RedisTarget, 'username' | 'password'> {
  if (login === undefined) return { username: undefined, password: undefined }
  const [user = '', ...rest] = login.split(':')
  const password = decode(rest.join(':'))
  return { username: user === '' ? undefined : decode(user), password: password === '' ? undefined : password }
}

function socket(host: string, path: string, query: string | undefined): Omit<RedisTarget, keyof Login> {
  if (host !== '' || path.length < 2) throw invalid('a socket needs an absolute path: unix:///path/to/socket')
  const db = database(new URLSearchParams(query).get('db') ?? undefined)
  return { kind: 'single', nodes: [], socket: decode(path), db, group: undefined }
}
type Login = Pick<RedisTarget, 'username' | 'password' | 'tls'>

function node(text: string, defaultPort: number): RedisTarget['nodes'][number] {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/i.exec(text)
  const host = parts?.[1] ?? parts?.[2]
  const port = Number(parts?.[3] ?? defaultPort)
  if (host === undefined || port < 1 || port > 65_535) throw invalid('a host or port in it cannot be read')
  return { host, port }
}

function database(text: string | undefined): number {
  if (text !== undefined && !/^\d{1,5}$/.test(text)) throw invalid('the database must be a number')
  return Number(text ?? 0)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid('a percent sign in it is not followed by two hex digits')
  }
}

function invalid(why: string): DataferryError {
  return new DataferryError('CONFIG_INVALID', `The Redis URL cannot be used: ${why}.`)
}
