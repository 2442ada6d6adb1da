import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { messageOf, systemCode } from '../errors.ts'
import { nearest } from '../model/nearest.ts'
import type { Environment } from './environment.ts'
import { normalServer } from './setting-values.ts'
import { isSetting, SETTING_NAMES } from './about-settings.ts'

const CONFIG_FILE = 'dataferry.config.json'

/** Where dataferry runs: what relative paths, `~` and variables refer to. */
export interface Surroundings {
  readonly cwd: string
  readonly home: string
  readonly env: Environment
}

/** An installation of the config file with the place of its token, never the token itself. */
export interface ServerEntry {
  /** Base URL, normalised. */
  readonly url: string
  readonly tokenFile: string | undefined
  /** Name of an environment variable. */
  readonly tokenEnv: string | undefined
  /** For messages: `servers[1]`. */
  readonly key: string
}

export interface ConfigFile {
  /** Undefined when there is none. */
  readonly path: string | undefined
  /** Raw values by setting name. */
  readonly values: Readonly<Record<string, unknown>>
  readonly servers: readonly ServerEntry[]
  /** Who is told of what; unread. */
  readonly notify: unknown
}

const EMPTY: ConfigFile = { path: undefined, values: {}, servers: [], notify: undefined }
/** Keys under which people tend to write a token itself. */
const LITERAL_SECRET = /^(api)?_?-?(token|key)$|password|secret/i
const serverSchema = z.object({ url: z.string(), tokenFile: z.string().optional(), tokenEnv: z.string().optional() })

/** A path as a person wrote it: `~/` is the home folder, a relative one starts at `base`, a URL stays as it is. */
export function expandPath(text: string, base: string, home: string): string {
  if (/^(?:file:|[a-z][a-z0-9+.-]+:\/\/)/i.test(text)) return text
  return text === '~' || text.startsWith('~/') ? join(home, text.slice(1)) : resolve(base, text)
}

/** Reads the config file, adding a line to `problems` for everything in it that cannot be used. Never throws. */
export function readConfigFile(at: Surroundings, named: string | undefined, problems: string[]): ConfigFile {
  const path = expandPath(named ?? CONFIG_FILE, at.cwd, at.home)
  const text = readText(path, named !== undefined, problems)
  if (text === undefined) return EMPTY
  const content = parseObject(text, path, problems)
  const { servers, notify, ...values } = content
  for (const key of Object.keys(values)) if (!isSetting(key)) problems.push(unknownKey(path, key))
  return {
    path,
    values: Object.fromEntries(Object.entries(values).filter(([key]) => isSetting(key))),
    servers: readServers(servers, path, at, problems),
    notify,
  }
}

function readText(path: string, mustExist: boolean, problems: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    if (mustExist || systemCode(error) !== 'ENOENT')
      problems.push(`the config file cannot be read: ${messageOf(error)}`)
    return undefined
  }
}

/** The parser's own message quotes the text, which may hold a secret: only the place is reported. */
function parseObject(text: string, path: string, problems: string[]): Record<string, unknown> {
  try {
    const parsed = z.record(z.string(), z.unknown()).safeParse(JSON.parse(text))
    if (parsed.success) return parsed.data
    problems.push(`${path}: expected one JSON object, { "server": … }`)
  } catch (error) {
    const position = /at position (\d+)/.exec(messageOf(error))?.[1]
    const line = position === undefined ? '' : `, line ${text.slice(0, Number(position)).split('\n').length}`
    problems.push(`${path}${line}: not valid JSON; look for a missing quote or an extra comma`)
  }
  return {}
}

function readServers(raw: unknown, path: string, at: Surroundings, problems: string[]): ServerEntry[] {
  if (raw === undefined) return []
  if (!Array.isArray(raw)) {
    problems.push(`${path}, key "servers": expected a list of { "url": …, "tokenFile": … }`)
    return []
  }
  return raw.flatMap((entry: unknown, index) => readServer(entry, `servers[${index}]`, path, at, problems) ?? [])
}

function readServer(
  raw: unknown,
  key: string,
  path: string,
  at: Surroundings,
  problems: string[],
): ServerEntry | undefined {
  const parsed = serverSchema.safeParse(raw)
  if (!parsed.success) {
    problems.push(`${path}, key "${key}": expected { "url": …, "tokenFile": … } or { "url": …, "tokenEnv": … }`)
    return undefined
  }
  const names = Object.keys(serverSchema.shape)
  for (const name of Object.keys(z.record(z.string(), z.unknown()).parse(raw))) {
    if (!names.includes(name)) problems.push(unknownKey(path, name, `${key}.`, names))
  }
  const url = normalServer(parsed.data.url)
  if (url === undefined) {
    problems.push(`${path}, key "${key}.url": expected the URL of a Dataverse installation`)
    return undefined
  }
  const { tokenFile, tokenEnv } = parsed.data
  if (tokenFile !== undefined && tokenEnv !== undefined) {
    problems.push(`${path}, key "${key}": tokenFile and tokenEnv are both given; keep one`)
  }
  return {
    url,
    tokenEnv,
    tokenFile: tokenFile === undefined ? undefined : expandPath(tokenFile, dirname(path), at.home),
    key,
  }
}

function unknownKey(
  path: string,
  key: string,
  prefix = '',
  known: readonly string[] = [...SETTING_NAMES, 'servers', 'notify'],
): string {
  const where = `${path}, key "${prefix}${key}"`
  if (LITERAL_SECRET.test(key)) {
    return `${where}: a token does not belong in the config file; use DATAVERSE_API_TOKEN, "tokenFile" or "tokenEnv"`
  }
  const meant = nearest(key, known)
  return `${where}: there is no such setting${meant === undefined ? '' : `; did you mean "${meant}"?`}`
}
