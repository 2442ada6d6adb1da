import { createHash } from 'node:crypto'
import type { RedisClient } from './client.ts'

/** A Lua script, which Redis runs atomically. */
export interface Script {
  readonly lua: string
  readonly sha1: string
}

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
