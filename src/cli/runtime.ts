import type { LoadedConfig } from '../config/config.ts'
import { environment } from '../config/environment.ts'
import { redisChanges } from '../ledger/redis/redis-changes.ts'
import { RedisLedger } from '../ledger/redis/redis-ledger.ts'
import { Servers } from '../ledger/servers.ts'
import { Workers } from '../ledger/workers.ts'
import type { Changes } from '../ledger/change.ts'
import type { RedisClient } from '../ledger/redis/client.ts'
import { messageOf } from '../errors.ts'
import { connect } from '../queue/connection.ts'
import { startEmbeddedRedis } from '../queue/embedded/redis.ts'
import { openQueues, type Queues } from '../queue/queues.ts'
import { checkRedis } from '../queue/redis-settings.ts'
import type { Context } from './command.ts'

/** What commands that talk to Redis share. Disposing closes it; the private Redis stops when nobody else uses it. */
export interface Runtime extends AsyncDisposable {
  readonly client: RedisClient
  readonly ledger: RedisLedger
  readonly servers: Servers
  readonly workers: Workers
  readonly changes: Changes
  readonly queues: Queues
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

/**
 * Connects to the configured Redis, or starts the private one. Rejects with `REDIS_…` codes.
 * @param role `producer` for commands that a person waits for, `worker` for work that outlives an outage of Redis
 */
export async function openRuntime(
  { config, log, out, signal }: Context,
  role: 'producer' | 'worker',
): Promise<Runtime> {
  const { redis, stateDir, prefix } = config.settings
  const embedded = redis ? undefined : await startEmbeddedRedis({ stateDir, path: environment()['PATH'] ?? '', log })
  const url = redis?.reveal() ?? embedded?.url ?? ''
  try {
    const client = await connect({ url, role, log, signal, ...certificates(config) })
    const { warnings } = await checkRedis(client)
    for (const warning of warnings) out.warn(warning)
    const changes = await redisChanges(client, prefix)
    const onError = (error: Error): void => log.warn({ problem: messageOf(error) }, 'queue connection')
    const queues = openQueues({ connection: client, prefix, onError })
    return {
      client,
      ledger: new RedisLedger(client, { prefix, onDamaged: warnOnce(out) }),
      servers: new Servers(client, prefix),
      workers: new Workers(client, prefix),
      changes,
      queues,
      async [Symbol.asyncDispose]() {
        await queues.close()
        await changes.close()
        client.disconnect()
        await embedded?.release()
      },
    }
  } catch (error) {
    await embedded?.release()
    throw error
  }
}

/** Says of each batch once that Redis holds something else in its place. */
function warnOnce(out: Context['out']): (id: string) => void {
  const told = new Set<string>()
  return (id) => {
    if (!told.has(id)) out.warn(`What Redis holds of batch ${id} is damaged and passed over; its destination knows it.`)
    told.add(id)
  }
}

/** The authorities that may sign the certificate of a `rediss://` server. */
export function certificates({ network: { ca } }: LoadedConfig): { readonly ca?: string } {
  return ca === undefined ? {} : { ca: ca.join('\n') }
}
