import type { Cluster, Redis } from 'ioredis'

/** One Redis or a cluster of them: all keys of dataferry share one hash tag, so every command works on both. */
export type RedisClient = Redis | Cluster

/** A second connection to the same place, for subscribing. The caller disconnects it. */
export function duplicate(client: RedisClient): RedisClient {
  return 'nodes' in client ? client.duplicate() : client.duplicate()
}
