import type { LoadedConfig } from '../config/config.ts'
import type { RedisPlace } from '../queue/redis-error.ts'
import { socketUrl } from '../queue/redis-url.ts'

/** Which Redis the settings name. */
export function redisPlace({ settings: { redis, stateDir } }: LoadedConfig): RedisPlace {
  return redis ? { url: redis.reveal() } : { url: socketUrl(stateDir), folder: stateDir }
}
