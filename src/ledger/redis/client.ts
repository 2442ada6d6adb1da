import type { Cluster, Redis } from 'ioredis'

/** One Redis or a cluster of them: all keys of dataferry share one hash tag, so every command works on both. */
export type RedisClient = Redis | Cluster

/** Does work that writes to Redis, again and again until Redis takes it. */
export type Patiently = <T>(work: () => Promise<T>) => Promise<T>

/** Without any patience. */
export const once: Patiently = (work) => work()

/** A second connection to the same place, for what a connection can do only alone. The caller disconnects it. */
export function duplicate(client: RedisClient): RedisClient {
  return 'nodes' in client ? client.duplicate() : client.duplicate()
}
