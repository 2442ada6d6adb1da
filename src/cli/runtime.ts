import { Notices } from '../../workers/notices.ts'
import { every } from '../async/every.ts'
import type { LoadedConfig } from '../config/config.ts'
import { environment } from '../config/environment.ts'
import { redisChanges } from '../ledger/redis/redis-changes.ts'
import { RedisLedger } from '../ledger/redis/redis-ledger.ts'
import { Servers } from '../ledger/servers.ts'
import { Workers } from '../ledger/workers.ts'
import type { Changes } from '../ledger/change.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import { messageOf } from '../errors.ts'
import type { Wait } from '../model/notice.ts'
import { connect } from '../queue/connection.ts'
import { RedisHold } from '../queue/redis-hold.ts'
import { redisError, type RedisPlace } from '../queue/redis-error.ts'
import { startEmbeddedRedis } from '../queue/embedded/redis.ts'
import { openQueues, type Queues } from '../queue/queues.ts'
import { checkRedis } from '../queue/redis-settings.ts'
import { pause } from '../async/pause.ts'
import type { Context } from './command.ts'
import { redisPlace } from './redis-place.ts'

/** What commands that talk to Redis share. Disposing closes it; the private Redis stops when nobody else uses it. */
export interface Runtime extends AsyncDisposable {
  readonly client: RedisClient
  readonly ledger: RedisLedger
  readonly servers: Servers
  readonly workers: Workers
  readonly changes: Changes
  readonly queues: Queues
  /** What holds up the work of this process. */
  readonly notices: Notices
  /** Waits while Redis takes no writes. */
  readonly hold: RedisHold
}

/** A runtime that is opened on first use. Disposing closes it if it was opened. */
export interface LazyRuntime extends AsyncDisposable {
  get(): Promise<Runtime>
}

export function lazyRuntime(...place: Parameters<typeof openRuntime>): LazyRuntime {
  let opening: Promise<Runtime> | undefined
  return {
    get: () => (opening ??= openRuntime(...place)),
    async [Symbol.asyncDispose]() {
      const opened = await opening?.catch(() => undefined)
      await opened?.[Symbol.asyncDispose]()
    },
  }
}

/** Once a command was asked to stop, a Redis that does not answer for so long is not waited for. */
const LAST_WORDS_MS = 5_000

/**
 * Connects to the Redis of the settings, or starts the private one. Rejects with `REDIS_…` and `STATE_…` codes.
 * @param role `producer` for commands that a person waits for; `worker` for work that waits out whatever befalls Redis, once it
 * was found to take writes
 */
export async function openRuntime(
  { config, log, out, signal }: Context,
  role: 'producer' | 'worker',
): Promise<Runtime> {
  const { redis, stateDir, prefix } = config.settings
  const notices = new Notices(log)
  const path = environment()['PATH'] ?? ''
  const embedded = redis
    ? undefined
    : await startEmbeddedRedis({ stateDir, path, log, tell: (wait) => notices.set('state folder', wait) })
  const place: RedisPlace = embedded ? { ...redisPlace(config), url: embedded.url } : redisPlace(config)
  try {
    const telling = (cause: string) => (wait: Wait | undefined) => notices.set(cause, wait)
    const ca = certificates(config)
    const client = await connect({ ...place, role, log, signal, tell: telling('redis away'), ...ca })
    const { warnings } = await checkRedis(client)
    for (const warning of warnings) out.warn(warning)
    const probe = (): Promise<unknown> => client.set(`${prefix}:probe`, '1', 'PX', 10_000)
    if (role === 'worker') await probe()
    // A command that a person waits for is told at once.
    const patience = role === 'worker' ? signal : AbortSignal.abort()
    const hold = new RedisHold({ place, probe, tell: telling('redis refuses'), signal: patience })
    const changes = await redisChanges(client, prefix)
    const onError = (error: Error): void => log.warn({ problem: messageOf(error) }, 'queue connection')
    const queues = openQueues({ connection: client, prefix, onError })
    const leaving = leaveOnceStopped(client, signal)
    const { patiently } = hold
    return {
      client,
      ledger: new RedisLedger(client, { prefix, patiently, onDamaged: warnOnce(out) }),
      servers: new Servers(client, prefix, patiently),
      workers: new Workers(client, prefix),
      changes,
      queues,
      notices,
      hold,
      async [Symbol.asyncDispose]() {
        leaving()
        await queues.close()
        await changes.close()
        client.disconnect()
        await embedded?.release()
      },
    }
  } catch (error) {
    await embedded?.release()
    throw redisError(error, place)
  }
}

/** Commands to a Redis that is frozen wait for ever: when somebody wants an end, they are given up. @returns what ends this */
function leaveOnceStopped(client: RedisClient, signal: AbortSignal): () => void {
  const ended = new AbortController()
  const look = async (): Promise<void> => {
    const answered = client.ping().then(
      () => true,
      () => true,
    )
    const isThere = await Promise.race([answered, pause(LAST_WORDS_MS, ended.signal).then(() => false)])
    // While it is connecting again it is about to end by itself.
    if (!isThere && client.status === 'ready') client.disconnect()
  }
  const begin = (): void => {
    const looking = every(LAST_WORDS_MS, look, () => undefined)
    ended.signal.addEventListener('abort', () => void looking.stop(), { once: true })
    look().catch(() => undefined)
  }
  signal.addEventListener('abort', begin, { once: true, signal: ended.signal })
  return () => ended.abort()
}

/** Names each batch once whose entry in Redis cannot be read. */
function warnOnce(out: Context['out']): (id: string) => void {
  const told = new Set<string>()
  return (id) => {
    if (told.has(id)) return
    told.add(id)
    out.warn(
      `What Redis holds of batch ${id.slice(0, 200)} cannot be read: it is left out. \`dataferry resume\` on its destination writes it anew.`,
    )
  }
}

/** The authorities that may sign the certificate of a `rediss://` server. */
export function certificates({ network: { ca } }: LoadedConfig): { readonly ca?: string } {
  return ca === undefined ? {} : { ca: ca.join('\n') }
}
