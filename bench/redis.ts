import { startEmbeddedRedis } from '../src/queue/embedded/redis.ts'
import { connect } from '../src/queue/connection.ts'
import type { RedisClient } from '../src/ledger/redis/client.ts'

/** What Redis has used since it started. */
export interface RedisUse {
  /** Seconds of CPU, its children included. */
  readonly cpuSeconds: number
  /** Bytes of `used_memory`, at most so far. */
  readonly peakMemory: number
}

/** A private Redis that a dataferry on the same state folder joins; disposing leaves it, which stops it. */
export interface BenchRedis extends AsyncDisposable {
  readonly client: RedisClient
  use(): Promise<RedisUse>
}

export async function startRedis(stateDir: string): Promise<BenchRedis> {
  const redis = await startEmbeddedRedis({ stateDir, path: process.env['PATH'] ?? '' })
  const client = await connect({ url: redis.url, role: 'worker' })
  return {
    client,
    use: () => useOf(client),
    async [Symbol.asyncDispose]() {
      client.disconnect()
      await redis.release()
    },
  }
}

/** @see https://redis.io/docs/latest/commands/info: `used_memory_peak` in bytes, `used_cpu_…` in seconds. */
async function useOf(client: RedisClient): Promise<RedisUse> {
  const info = await client.info()
  const number = (field: string): number => {
    const [, value] = new RegExp(`^${field}:([\\d.]+)`, 'm').exec(info) ?? []
    if (value === undefined) throw new Error(`Redis does not tell ${field}.`)
    return Number(value)
  }
  const cpu = ['used_cpu_sys', 'used_cpu_user', 'used_cpu_sys_children', 'used_cpu_user_children']
  return {
    cpuSeconds: cpu.reduce((sum, field) => sum + number(field), 0),
    peakMemory: number('used_memory_peak'),
  }
}
