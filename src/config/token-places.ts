import type { Environment } from './environment.ts'
import type { ConfigFile, ServerEntry } from './file.ts'
import { settingsSchema } from './settings.ts'
import type { Source, TokenPlace, Tokens } from './tokens.ts'

export interface TokenHints {
  readonly env: Environment
  readonly file: ConfigFile
  /** The `tokenFile` setting: its path and where that came from. */
  readonly tokenFile: string | undefined
  readonly tokenFileSource: Source
  /** All base URLs that may be contacted. */
  readonly servers: readonly string[]
}

/**
 * Where tokens may be, by precedence. A token belongs to the default installation of the place it came
 * from: one set in the environment beside DATAVERSE_SERVER is never sent to a server given by a flag.
 */
export function tokenPlaces({ env, file, tokenFile, tokenFileSource, servers }: TokenHints): TokenPlace[] {
  const home = {
    flag: servers[0],
    environment: environmentHome(env, servers),
    file: firstServer(file.values['server']) ?? file.servers[0]?.url ?? servers[0],
    default: undefined,
  }
  const ofFile = (kind: Source['kind']): TokenPlace[] =>
    tokenFileSource.kind === kind
      ? [{ server: home[kind], source: tokenFileSource, file: tokenFile, text: undefined }]
      : []
  return [
    ...ofFile('flag'),
    variable(env, 'DATAVERSE_API_TOKEN', home.environment),
    variable(env, 'DATAVERSE_KEY', home.environment),
    ...ofFile('environment'),
    ...file.servers.flatMap((entry) => entryPlaces(entry, env, file.path ?? '')),
    ...ofFile('file'),
  ]
}

/** In the environment of a command that another one starts: the server that the tokens beside it are for. */
export const TOKEN_SERVER = 'DATAFERRY_TOKEN_SERVER'

/** The installation that tokens of the environment belong to. */
export function environmentHome(env: Environment, servers: readonly string[]): string | undefined {
  return firstServer(env[TOKEN_SERVER]) ?? firstServer(env['DATAVERSE_SERVER']) ?? servers[0]
}

/** Warnings about where tokens go, and where they do not. */
export function tokenWarnings(tokens: Tokens, servers: readonly string[]): string[] {
  // Without servers nothing is contacted.
  if (servers.length === 0) return []
  return tokens.servers.flatMap((server) => {
    const name = tokens.sourceOf(server)?.name ?? 'this place'
    if (!servers.includes(server))
      return [`the token of ${name} is for ${server} and is not sent to ${servers.join(', ')}`]
    const local = /^(localhost|127\.[\d.]+|\[::1\])$/.test(new URL(server).hostname)
    return server.startsWith('http:') && !local
      ? [`the token of ${name} is sent unencrypted to ${server}; use https`]
      : []
  })
}

function entryPlaces({ url, key, tokenFile, tokenEnv }: ServerEntry, env: Environment, path: string): TokenPlace[] {
  const source: Source = { kind: 'file', name: `${path}, key "${key}.tokenFile"` }
  return [
    ...(tokenFile === undefined ? [] : [{ server: url, source, file: tokenFile, text: undefined }]),
    ...(tokenEnv === undefined ? [] : [variable(env, tokenEnv, url)]),
  ]
}

function variable(env: Environment, name: string, server: string | undefined): TokenPlace {
  return { server, source: { kind: 'environment', name }, file: undefined, text: env[name] }
}

function firstServer(raw: unknown): string | undefined {
  const parsed = settingsSchema.shape.server.safeParse(raw)
  return parsed.success ? parsed.data[0] : undefined
}
