import { readFileSync } from 'node:fs'
import type { LoadedConfig } from '../../config/config.ts'
import { SECRET_VARIABLES, type Environment } from '../../config/environment.ts'
import { readSecret, secretPlaces } from '../../config/notify.ts'
import { parseRedisUrl } from '../../queue/redis-url.ts'

/** A secret, and where it comes from: a variable, a file, or a key of the config file. */
interface KnownSecret {
  readonly source: string
  readonly secret: string
}

/** Every secret that the configuration and the environment hold or name. What is not there or cannot be read is left out. */
export function knownSecrets(config: LoadedConfig, env: Environment): readonly KnownSecret[] {
  const { tokens, settings, sourceOf, notify, network } = config
  const found: (readonly [source: string, read: () => string | undefined])[] = [
    ...tokens.servers.map((server) => [tokens.sourceOf(server)?.name ?? server, () => tokens.get(server)] as const),
    ...SECRET_VARIABLES.map((name) => [name, () => env[name]] as const),
    [settings.tokenFile ?? '', () => settings.tokenFile && readFileSync(settings.tokenFile, 'utf8')],
    [sourceOf('redis').name, () => settings.redis && parseRedisUrl(settings.redis.reveal()).password],
    ['REDIS_URL', () => env['REDIS_URL'] && parseRedisUrl(env['REDIS_URL']).password],
    ...secretPlaces(notify).map(
      (place) => [place.env ?? place.file ?? '', () => readSecret(place, env, () => undefined)] as const,
    ),
    // Whoever knows the address of some receivers may post to them.
    ...(notify?.webhooks ?? []).map(({ url, secret }) => [secret.key, () => url] as const),
    ...[network.proxies.http, network.proxies.https].map(
      (url) => ['the proxy', () => url && decodeURIComponent(new URL(url).password)] as const,
    ),
  ]
  return found.flatMap(([source, read]) => {
    const secret = readIfThere(read)
    return secret ? [{ source, secret }] : []
  })
}

function readIfThere(read: () => string | undefined): string | undefined {
  try {
    return read()?.trim()
  } catch {
    return undefined
  }
}

/** Shorter ones are found by accident within other words. */
const SHORTEST_WITHIN = 8

/** Whether a word of a command line has a secret in it, percent-encoded or as it is. */
export function holdsSecret(word: string, secret: string): boolean {
  return [word, decoded(word)].some((text) =>
    secret.length < SHORTEST_WITHIN ? text === secret || text.endsWith(`=${secret}`) : text.includes(secret),
  )
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word)
  } catch {
    return word
  }
}
