import { userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type { z } from 'zod'
import { environment, type Environment } from './environment.ts'
import { expandPath, readConfigFile, type ConfigFile, type Surroundings } from './file.ts'
import { DataferryError } from '../errors.ts'
import { readNetwork, refuseUnchecked, type Network } from './network.ts'
import { readNotify, type NotifySettings } from './notify.ts'
import { shellWord } from '../model/shell-word.ts'
import { normalServer } from './setting-values.ts'
import { aboutSetting, SETTING_NAMES, type SettingName } from './about-settings.ts'
import { settingsSchema, type Settings } from './settings.ts'
import { tokenPlaces, tokenWarnings } from './token-places.ts'
import { othersMayRead, readTokens, type Source, type Tokens } from './tokens.ts'

/** Texts by setting name, each with the flag as it was typed. */
export type GivenFlags = Readonly<
  Partial<Record<SettingName, { readonly flag: string; readonly value: string | readonly string[] }>>
>

export interface LoadOptions {
  readonly flags?: GivenFlags
  /** Default: this process's. */
  readonly env?: Environment
  /** The config file; must exist when given. Default: `dataferry.config.json` in `cwd`, if it is there. */
  readonly file?: string | undefined
  readonly cwd?: string
  readonly home?: string
}

export interface LoadedConfig {
  readonly settings: Settings
  /** Base URLs that may be contacted, the default one first: from the `server` setting, then from the config file's `servers`. */
  readonly servers: readonly string[]
  readonly sourceOf: (name: SettingName) => Source
  readonly network: Network
  /** Who is told of what, from the config file. */
  readonly notify: NotifySettings | undefined
  /** The flags as they were typed. */
  readonly given: GivenFlags
  /** The config file as given on the command line. */
  readonly namedFile: string | undefined
  /** The config file that was read. */
  readonly file: string | undefined
  /** For people, e.g. that others can read a token file. */
  readonly warnings: readonly string[]
  /** Prints as `[hidden]`. */
  readonly tokens: Tokens
  /**
   * For what names its server itself: where no server was configured, the same as if this one had been given by a flag, so that
   * its token is found. Throws `CONFIG_INVALID`.
   */
  readonly forServer: (server: string) => LoadedConfig
}

interface Found {
  readonly raw: unknown
  readonly source: Source
}

/** The API token that may be sent to this installation, and to no other. `server` is a base URL. */
export function tokenFor(config: LoadedConfig, server: string): string | undefined {
  return config.tokens.get(normalServer(server) ?? server)
}

/**
 * Reads and checks all settings: a flag beats the environment, which beats the config file, which beats the default.
 * Throws one `CONFIG_INVALID` that names every problem with its flag, variable or key.
 */
export function load(options: LoadOptions = {}): LoadedConfig {
  const env = options.env ?? environment()
  const at = { cwd: options.cwd ?? process.cwd(), home: options.home ?? homeOf(env), env }
  const problems: string[] = []
  const warnings: string[] = []
  const file = readConfigFile(at, options.file, problems)
  const found = new Map(SETTING_NAMES.map((name) => [name, find(name, at, options.flags ?? {}, file)]))
  const settings = check(found, at, problems)
  if (settings.redis?.hides && found.get('redis')?.source.kind === 'flag') {
    problems.push('--redis: a password on the command line is visible to everyone on this machine; use REDIS_URL')
  }
  const servers = [...new Set([...settings.server, ...file.servers.map((entry) => entry.url)])]
  const tokenFileSource = found.get('tokenFile')?.source ?? BY_DEFAULT
  const places = tokenPlaces({ env: at.env, file, tokenFile: settings.tokenFile, tokenFileSource, servers })
  const tokens = readTokens(places, problems, warnings)
  const notify = readNotify(file.notify, file.path, at, problems)
  const network = readNetwork(at.env, settings.caFile, problems)
  refuseUnchecked(at.env, tokens.servers.length > 0, problems)
  if (problems.length > 0) throw new DataferryError('CONFIG_INVALID', listed(problems))
  if (settings.redis?.hides && file.path !== undefined && 'redis' in file.values && othersMayRead(file.path)) {
    warnings.push(`other users can read the Redis password in ${file.path}; run: chmod 600 ${shellWord(file.path)}`)
  }
  warnings.push(...tokenWarnings(tokens, servers))
  const loaded: LoadedConfig = {
    settings,
    servers,
    sourceOf: (name) => found.get(name)?.source ?? BY_DEFAULT,
    network,
    notify,
    given: options.flags ?? {},
    namedFile: options.file,
    file: file.path,
    warnings,
    tokens,
    forServer: (server) => (servers.length > 0 ? loaded : { ...loadFor(options, server), given: loaded.given }),
  }
  return loaded
}

function loadFor(options: LoadOptions, server: string): LoadedConfig {
  return load({ ...options, flags: { ...options.flags, server: { flag: '--server', value: [server] } } })
}

/** The user's home folder: as HOME says, else as the system knows; `/` for a user that has none. */
function homeOf({ HOME = '' }: Environment): string {
  if (isAbsolute(HOME)) return HOME
  try {
    return userInfo().homedir
  } catch {
    return '/'
  }
}

/** The place with the highest precedence that has a value for a setting. An empty variable counts as not set, as in most tools. */
function find(name: SettingName, at: Surroundings, flags: GivenFlags, file: ConfigFile): Found {
  const about = aboutSetting(name)
  const place = (raw: unknown, base: string): unknown =>
    about.path && typeof raw === 'string' && raw !== '' ? expandPath(raw, base, at.home) : raw
  const flag = flags[name]
  if (flag) return { raw: place(flag.value, at.cwd), source: { kind: 'flag', name: flag.flag } }
  const variable = about.env.find((key) => at.env[key])
  if (variable) return { raw: place(at.env[variable], at.cwd), source: { kind: 'environment', name: variable } }
  const kept = file.values[name]
  if (file.path !== undefined && kept !== undefined && kept !== null) {
    return { raw: place(kept, dirname(file.path)), source: { kind: 'file', name: `${file.path}, key "${name}"` } }
  }
  if (name === 'stateDir' && at.env['XDG_STATE_HOME']) {
    const raw = join(at.env['XDG_STATE_HOME'], 'dataferry')
    return { raw, source: { kind: 'environment', name: 'XDG_STATE_HOME' } }
  }
  return { raw: fallback(name, at), source: BY_DEFAULT }
}

const BY_DEFAULT: Source = { kind: 'default', name: 'default' }

function fallback(name: SettingName, at: Surroundings): unknown {
  const about = aboutSetting(name)
  return about.path && about.fallback !== undefined ? expandPath(about.fallback, at.cwd, at.home) : about.fallback
}

/** Checks all values; defaults replace bad ones, so that the rest can be checked as well. */
function check(found: ReadonlyMap<SettingName, Found>, at: Surroundings, problems: string[]): Settings {
  const raw = Object.fromEntries([...found].map(([name, one]) => [name, one.raw]))
  const parsed = settingsSchema.safeParse(raw)
  if (parsed.success) return parsed.data
  for (const name of SETTING_NAMES) {
    const issue = parsed.error.issues.find(({ path }) => path[0] === name)
    if (!issue) continue
    problems.push(problem(issue, name, found.get(name)))
    raw[name] = fallback(name, at)
  }
  return settingsSchema.parse(raw)
}

function problem(issue: z.core.$ZodIssue, name: SettingName, found: Found | undefined): string {
  const what = `${found?.source.name ?? name}: ${issue.message}`
  if (aboutSetting(name).secret) return what
  // An address may have been pasted with a token in its query or a password before its host.
  const shown = JSON.stringify(found?.raw)
    .replaceAll(/\?[^"\s]*/g, '?…')
    .replaceAll(/\/\/[^/@"\s]*@/g, '//…@')
  return `${what}, not ${shown.slice(0, 80)}`
}

function listed(problems: readonly string[]): string {
  const [only] = problems
  if (problems.length === 1 && only !== undefined) return only
  return [`${problems.length} settings cannot be used:`, ...problems.map((one) => `  ${one}`)].join('\n')
}
