import { Cluster, Redis, type RedisOptions } from 'ioredis'
import { isAbort, messageOf } from '../errors.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import type { Logger } from '../log.ts'
import type { Wait } from '../model/notice.ts'
import { redisName, refusalOf, unavailable, withoutSecrets, type RedisPlace } from './redis-error.ts'
import { parseRedisUrl, redisLabel, type RedisTarget } from './redis-url.ts'

export interface ConnectOptions extends RedisPlace {
  /**
   * - `worker`: commands wait for ever while Redis is away; needed by BullMQ's workers
   * - `producer`: commands fail after about two seconds without Redis; for commands that a person waits for
   */
  readonly role: 'producer' | 'worker'
  /** Certificate authority in PEM, for a `rediss://` server with a certificate that no public authority signed. */
  readonly ca?: string
  /** How long to wait for the first connection; by default 3 s for a producer, 30 s for a worker. */
  readonly patienceMs?: number
  /** Ends the wait for the first connection; later on, one that is lost is not made again, and its commands reject. */
  readonly signal?: AbortSignal
  /** Is told when the connection is lost and restored. */
  readonly log?: Logger
  /** Told what is waited for while the connection is lost, and undefined when it is back. */
  readonly tell?: (wait: Wait | undefined) => void
}

const PATIENCE_MS = { producer: 3_000, worker: 30_000 }
const RECONNECT_MAX_MS = 5_000
const LOADING_LOOK_MS = 20
/** With the reconnection pauses below, about two seconds. */
const PRODUCER_RETRIES = 5

/**
 * Connects to Redis and resolves when it answers; from then on the client reconnects for ever by itself.
 * Rejects with `CONFIG_INVALID` for a URL that cannot be read, `REDIS_UNAVAILABLE` when there is no answer in time or
 * the login or certificate is refused, or the signal's reason. No message holds the password.
 * The caller ends it with `disconnect()`; connections that BullMQ makes of it are BullMQ's to close.
 */
export async function connect(options: ConnectOptions): Promise<RedisClient> {
  const target = parseRedisUrl(options.url)
  options.signal?.throwIfAborted()
  const client = build(target, options)
  const { log, role, patienceMs = PATIENCE_MS[role] } = options
  let last: unknown
  client.on('error', (error: unknown) => {
    last = error
    log?.warn({ redis: redisLabel(target), problem: withoutSecrets(messageOf(error), target) }, 'Redis connection')
  })
  const timer = AbortSignal.timeout(patienceMs)
  const stop = options.signal ? AbortSignal.any([options.signal, timer]) : timer
  try {
    await firstAnswer(client, stop, options)
    if (options.tell) tellOfLosses(client, options, options.tell)
    return client
  } catch (error) {
    client.disconnect()
    options.signal?.throwIfAborted()
    throw unavailable(options, isAbort(error) || error === timer.reason ? (last ?? error) : error)
  }
}

function build(target: RedisTarget, { role, ca, signal }: ConnectOptions): RedisClient {
  const again = (times: number): number | null => (signal?.aborted ? null : pause(times))
  const common = {
    ...(target.username === undefined ? {} : { username: target.username }),
    ...(target.password === undefined ? {} : { password: target.password }),
    ...(target.tls ? { tls: ca === undefined ? {} : { ca } } : {}),
    maxRetriesPerRequest: role === 'worker' ? null : PRODUCER_RETRIES,
    // A server still loading its files after a restart counts as away: wait for it as long as for one that is down. A private
    // one was started a moment ago by the process that waits for it, and has mostly loaded them at the second look.
    maxLoadingRetryTime: target.socket === undefined ? RECONNECT_MAX_MS : LOADING_LOOK_MS,
  } satisfies RedisOptions
  const nodes = [...target.nodes]
  if (target.kind === 'cluster') {
    return new Cluster(nodes, { clusterRetryStrategy: again, redisOptions: common, slotsRefreshTimeout: 5_000 })
  }
  const own = { ...common, db: target.db, retryStrategy: again }
  if (target.kind === 'sentinel') {
    const tls = target.tls ? { enableTLSForSentinelMode: true, sentinelTLS: common.tls ?? {} } : {}
    // Sentinels without a password accept any.
    const login = target.password === undefined ? {} : { sentinelPassword: target.password }
    const group = { sentinels: nodes, name: target.group ?? '', sentinelRetryStrategy: again }
    return new Redis({ ...own, ...tls, ...login, ...group })
  }
  if (target.socket !== undefined) return new Redis({ ...own, path: target.socket })
  const [node] = nodes
  return new Redis({ ...own, ...node })
}

/** Milliseconds before reconnection number `times`: 100, 200, 400 … 5,000, minus up to a quarter. */
function pause(times: number): number {
  return Math.round(Math.min(RECONNECT_MAX_MS, 50 * 2 ** Math.min(times, 10)) * (1 - Math.random() / 4))
}

/** Resolves when Redis answers a command; rejects at once for errors that waiting cannot cure. */
async function firstAnswer(client: RedisClient, stop: AbortSignal, place: RedisPlace): Promise<void> {
  for (;;) {
    const attempt = new AbortController()
    try {
      await Promise.race([client.ping(), whenHopeless(client, attempt.signal), whenAborted(stop, attempt.signal)])
      return
    } catch (error) {
      // It answers: what it can be read for is not refused.
      if (refusalOf(error, place)) return
      // A producer's command gives up earlier than its caller.
      if (stop.aborted || !(error instanceof Error) || error.name !== 'MaxRetriesPerRequestError') throw error
    } finally {
      attempt.abort()
    }
  }
}

/** Login and certificate errors: `WRONGPASS`, `NOAUTH`, `NOPERM`, and the names that OpenSSL gives. */
const HOPELESS = /WRONGPASS|NOAUTH|NOPERM|ERR (?:AUTH|DB index)|certificate|CERT_|self.signed|wrong version number/i

function whenHopeless(client: RedisClient, done: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const listen = (error: unknown): void => {
      const causes = [error, error instanceof Error && 'lastNodeError' in error ? error.lastNodeError : undefined]
      const hopeless = causes.find((cause) => cause !== undefined && HOPELESS.test(messageOf(cause)))
      if (hopeless !== undefined) reject(hopeless instanceof Error ? hopeless : new Error(messageOf(hopeless)))
    }
    client.on('error', listen)
    done.addEventListener('abort', () => client.off('error', listen), { once: true })
  })
}

function whenAborted(stop: AbortSignal, done: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = (): void => reject(stop.reason instanceof Error ? stop.reason : new Error(String(stop.reason)))
    if (stop.aborted) give()
    stop.addEventListener('abort', give, { once: true, signal: done })
  })
}

/** Says that the connection is lost, and that it is back. */
function tellOfLosses(client: RedisClient, place: RedisPlace, tell: (wait: Wait | undefined) => void): void {
  let since: Date | undefined
  client.on('close', () => {
    since ??= new Date()
    const nextLook = new Date(Date.now() + RECONNECT_MAX_MS)
    tell({ what: redisName(place), reason: 'its connection was lost, and it does not answer.', since, nextLook })
  })
  client.on('ready', () => {
    since = undefined
    tell(undefined)
  })
}
