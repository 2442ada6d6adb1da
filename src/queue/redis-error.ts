import { DataferryError, messageOf, systemCode, type ErrorCode } from '../errors.ts'
import { parseRedisUrl, redisLabel, type RedisTarget } from './redis-url.ts'

/** Which Redis it is. */
export interface RedisPlace {
  /** See `parseRedisUrl` for the forms. */
  readonly url: string
  /** The folder of the private one; undefined: it is somebody's own. */
  readonly folder?: string | undefined
}

const OF_REDIS = ['MaxRetriesPerRequestError', 'ReplyError', 'ClusterAllFailedError']

/** Whether only Redis says such a thing, whatever the command was that met it. */
export function isOfRedis(error: unknown): boolean {
  return error instanceof Error && (OF_REDIS.includes(error.name) || /^connection is closed/i.test(error.message))
}

/**
 * Turns what a Redis command rejected with into a `REDIS_…` or `STATE_…` error, when Redis is the reason: away, full, refusing.
 * Any other error is returned as it is. No message holds the password.
 */
export function redisError(error: unknown, place: RedisPlace): unknown {
  if (!(error instanceof Error) || error instanceof DataferryError) return error
  const isAway = ['AbortError', 'ConnectionClosedError'].includes(error.name) || systemCode(error) !== undefined
  return isAway || isOfRedis(error) ? (refusalOf(error, place) ?? unavailable(place, error)) : error
}

/** A Redis that cannot be reached, or cannot be used at all. */
export function unavailable({ url }: RedisPlace, error: unknown): DataferryError {
  const target = parseRedisUrl(url)
  const why = withoutSecrets(reasonOf(error), target)
  const isLogin = /WRONGPASS|NOAUTH|NOPERM|ERR AUTH/.test(why)
  const fix = isLogin ? 'Put its user and password into REDIS_URL.' : 'Start it, or give another with --redis.'
  const message = `Redis at ${redisLabel(target)} cannot be used: ${why}. ${fix}`
  // Not the error itself: what Redis rejects with carries the command, and the command may be AUTH.
  const details = { cause: new Error(why), ...(isLogin && { advice: LOGIN_ADVICE }) }
  return new DataferryError('REDIS_UNAVAILABLE', message, details)
}

const LOGIN_ADVICE =
  'As in redis://user:password@host:6379; characters that URLs use for themselves are percent-encoded.'

/** How a Redis is called in sentences. */
export function redisName({ url, folder }: RedisPlace): string {
  return folder === undefined ? `Redis at ${redisLabel(parseRedisUrl(url))}` : `The private Redis in ${folder}`
}

export function withoutSecrets(text: string, { password }: RedisTarget): string {
  return password === undefined ? text : text.replaceAll(password, '[hidden]')
}

/**
 * What a Redis says that answers and takes no writes. Scripts put words before it, transactions the whole of it into `EXECABORT`.
 * @see https://redis.io/docs/latest/operate/oss_and_stack/management: maxmemory, replication, persistence
 */
const REFUSAL = /(?:^|[\s-])(OOM|READONLY|NOREPLICAS|MISCONF) (\S[^\r\n]*)/

interface Refusal {
  readonly code: ErrorCode
  /** Completes the name of the Redis. */
  readonly what: string
  readonly advice: string
}

const REFUSALS: Readonly<Record<string, Refusal>> = {
  OOM: {
    code: 'REDIS_FULL',
    what: 'is full: it uses all the memory that its maxmemory allows, and takes no more writes',
    advice: 'Remove what else is in it, or raise its limit (redis-cli CONFIG SET maxmemory 2gb; 0 is none).',
  },
  READONLY: {
    code: 'REDIS_READ_ONLY',
    what: 'is a replica, which takes no writes',
    advice: 'Give its primary with --redis or REDIS_URL, or make it one: redis-cli REPLICAOF NO ONE',
  },
  NOREPLICAS: {
    code: 'REDIS_READ_ONLY',
    what: 'takes no writes, since fewer replicas are connected than its min-replicas-to-write asks for',
    advice: 'Connect them again, or run: redis-cli CONFIG SET min-replicas-to-write 0',
  },
  MISCONF: {
    code: 'REDIS_READ_ONLY',
    what: 'takes no writes, since it cannot save them to its disk',
    advice: 'Free some space on its disk, and read its log for what is wrong with it.',
  },
}

/** The error of a Redis that answers and takes no writes; undefined for every other error. */
export function refusalOf(error: unknown, place: RedisPlace): DataferryError | undefined {
  if (error instanceof DataferryError) return undefined
  const [, word = '', words = ''] = REFUSAL.exec([error, ...earlierErrors(error)].map(messageOf).join('\n')) ?? []
  const refusal = REFUSALS[word]
  if (!refusal) return undefined
  if (word === 'MISCONF' && place.folder !== undefined) return stateUnavailable(place.folder, reasonFrom(words))
  return new DataferryError(refusal.code, `${redisName(place)} ${refusal.what}.`, { advice: refusal.advice })
}

/** What kept a transaction from being carried out: ioredis keeps it beside the error of the transaction itself. */
function earlierErrors(error: unknown): readonly unknown[] {
  const earlier = error instanceof Error && 'previousErrors' in error ? error.previousErrors : undefined
  return Array.isArray(earlier) ? earlier : []
}

/** `Errors writing to the AOF file: No space left on device` → the part behind the colon. */
function reasonFrom(words: string): string {
  const [, reason] = /AOF file: ([^:.]+)/.exec(words) ?? []
  return reason ?? 'what it holds cannot be saved'
}

/** A state folder in which the private Redis cannot work. */
export function stateUnavailable(folder: string, why: string): DataferryError {
  return new DataferryError('STATE_UNAVAILABLE', `The state folder ${folder} cannot be used: ${why}.`)
}

const STATE_REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space is left on its disk',
  EDQUOT: 'the quota of its disk is used up',
  EROFS: 'its disk is read-only',
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  ENOTDIR: 'a part of its path is not a folder',
  EEXIST: 'a part of its path is not a folder',
}

/** What the file system said about a state folder as `STATE_UNAVAILABLE`; any other error as it is. */
export function stateError(error: unknown, folder: string): unknown {
  const code = systemCode(error)
  if (code === undefined || error instanceof DataferryError) return error
  return stateUnavailable(folder, STATE_REASONS[code] ?? messageOf(error))
}

function reasonOf(error: unknown): string {
  const nested = error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : undefined
  const text = messageOf(nested ?? error)
  const inner = nested ?? error
  if (text === '' && inner instanceof AggregateError) return inner.errors.map(messageOf).join('; ')
  if (inner instanceof Error && inner.name === 'TimeoutError') return 'it did not answer in time'
  if (inner instanceof Error && inner.name === 'MaxRetriesPerRequestError')
    return 'the connection was lost and did not come back in time'
  // ioredis wraps what a sentinel said into a sentence about its own plans.
  return text.replace(/^.*Last error: /, '').replace(/[.\s]+$/, '')
}
