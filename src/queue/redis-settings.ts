import { DataferryError } from '../errors.ts'
import type { RedisClient } from '../ledger/redis/client.ts'

export interface RedisFacts {
  /** As the server reports it; Valkey reports the Redis version it is compatible with. */
  readonly version: string
  readonly product: 'redis' | 'valkey'
  /** Bytes; undefined: no limit of its own. */
  readonly maxMemory: number | undefined
  /** What is allowed but not recommended, one sentence each. */
  readonly warnings: readonly string[]
}

const OLDEST: readonly [number, number] = [6, 2]
const FIX = 'redis-cli CONFIG SET maxmemory-policy noeviction'

/**
 * Makes sure that no setting can lose jobs. Reads only `INFO`, which managed services allow where they forbid `CONFIG`.
 * Rejects with `REDIS_MISCONFIGURED`, naming the command that fixes it, for an old version or a policy that evicts keys.
 */
export async function checkRedis(client: RedisClient): Promise<RedisFacts> {
  const infos = await Promise.all(mastersOf(client).map((node) => node.info()))
  const facts = infos.map((text) => judge(parseInfo(text)))
  const [first, ...others] = facts
  if (!first) throw new DataferryError('REDIS_UNAVAILABLE', 'The Redis cluster has no node that can be written to.')
  const warnings = new Set([first, ...others].flatMap((one) => one.warnings))
  return { ...first, warnings: [...warnings] }
}

/**
 * How full Redis is, from 0 to 1 of its `maxmemory`; the fullest node of a cluster. Feeding stops at 0.65.
 * @returns undefined: it has no limit.
 */
export async function memoryPressure(client: RedisClient): Promise<number | undefined> {
  const infos = await Promise.all(mastersOf(client).map((node) => node.info('memory')))
  const shares = infos.flatMap((text) => {
    const info = parseInfo(text)
    const limit = Number(info.get('maxmemory') ?? 0)
    return limit > 0 ? [Number(info.get('used_memory') ?? 0) / limit] : []
  })
  return shares.length > 0 ? Math.max(...shares) : undefined
}

function judge(info: ReadonlyMap<string, string>): RedisFacts {
  const product = info.has('valkey_version') ? 'valkey' : 'redis'
  const version = info.get('valkey_version') ?? info.get('redis_version') ?? '0'
  if (isOlder(info.get('redis_version') ?? '0', OLDEST)) {
    const needed = `dataferry needs Redis ${OLDEST.join('.')} or newer, or Valkey`
    throw new DataferryError('REDIS_MISCONFIGURED', `This Redis is version ${version}; ${needed}.`)
  }
  const policy = info.get('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    const problem = `Redis may drop jobs when it is full, as its maxmemory-policy is ${policy}`
    const managed = 'set the same in its configuration, or in the parameters of a managed service'
    throw new DataferryError('REDIS_MISCONFIGURED', `${problem}: run \`${FIX}\`, and ${managed}.`)
  }
  const maxMemory = Number(info.get('maxmemory') ?? 0) || undefined
  return { version, product, maxMemory, warnings: warningsOf(info, policy) }
}

function warningsOf(info: ReadonlyMap<string, string>, policy: string | undefined): string[] {
  const noFile = 'Redis keeps no append-only file, so its restart would make dataferry rebuild the ledger'
  return [
    ...(policy === undefined ? ['Redis does not report its maxmemory-policy; make sure that it is noeviction.'] : []),
    ...(info.get('aof_enabled') === '0' ? [`${noFile}: run \`redis-cli CONFIG SET appendonly yes\`.`] : []),
  ]
}

function mastersOf(client: RedisClient): Pick<RedisClient, 'info'>[] {
  return 'nodes' in client ? client.nodes('master') : [client]
}

/** @see https://redis.io/docs/latest/commands/info: lines of `field:value`, sections begin with `#`. */
function parseInfo(text: string): Map<string, string> {
  const pairs = text.split(/\r?\n/).flatMap((line): [string, string][] => {
    const at = line.indexOf(':')
    return at > 0 && !line.startsWith('#') ? [[line.slice(0, at), line.slice(at + 1)]] : []
  })
  return new Map(pairs)
}

function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [a = 0, b = 0] = version.split('.').map(Number)
  return a < major || (a === major && b < minor)
}
