import { createHash } from 'node:crypto'
import type { RedisClient } from './client.ts'

/** A Lua script, which Redis runs atomically. */
export interface Script {
  readonly lua: string
  readonly sha1: string
}

/** Lua that sets `now`: the time by the clock of Redis, in ms since 1970. */
export const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`

export function script(lua: string): Script {
  return { lua, sha1: createHash('sha1').update(lua).digest('hex') }
}

/**
 * Runs a script by its digest, and sends its text only to a server that does not have it yet.
 * Numbers in the answer are integers: Lua numbers lose their fraction on the way.
 */
export async function run(
  client: RedisClient,
  { lua, sha1 }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha1, keys.length, ...keys, ...args)
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return await client.eval(lua, keys.length, ...keys, ...args)
  }
}
