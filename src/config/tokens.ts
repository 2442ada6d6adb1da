import { readFileSync, statSync } from 'node:fs'
import { inspect } from 'node:util'
import { messageOf } from '../errors.ts'
import { shellWord } from '../model/shell-word.ts'

/** Where a value came from. `name` is what a person would look for: the flag, the variable, or the file and its key. */
export interface Source {
  readonly kind: 'flag' | 'environment' | 'file' | 'default'
  readonly name: string
}

/** A place where a token may be, and the installation it is meant for. */
export interface TokenPlace {
  /** Base URL; undefined when no installation is configured. */
  readonly server: string | undefined
  readonly source: Source
  readonly file: string | undefined
  /** The variable's value. */
  readonly text: string | undefined
}

interface Kept {
  readonly token: string
  readonly source: Source
  readonly file: string | undefined
  /** How often another one was found in the file. */
  readonly revision: number
}

/**
 * API tokens by base URL. A token is given out for exactly the installation it was meant for, and nothing that prints,
 * inspects or serialises this object shows one.
 */
export class Tokens {
  readonly #byServer = new Map<string, Kept>()

  /** Keeps a token unless its installation has one already: places come by precedence. */
  add(server: string, token: string, source: Source, file?: string): void {
    if (!this.#byServer.has(server)) this.#byServer.set(server, { token, source, file, revision: 0 })
  }

  /** The file that the token of this installation came from; undefined: it came from elsewhere. */
  fileOf(server: string): string | undefined {
    return this.#byServer.get(server)?.file
  }

  /** Reads that file again. @returns how often it has held another token so far */
  renew(server: string): number {
    const kept = this.#byServer.get(server)
    if (kept === undefined) return 0
    const token = kept.file === undefined ? undefined : tokenIn(kept.file)
    if (token === undefined || token === kept.token) return kept.revision
    const revision = kept.revision + 1
    this.#byServer.set(server, { ...kept, token, revision })
    return revision
  }

  get(server: string): string | undefined {
    return this.#byServer.get(server)?.token
  }

  /** Which variable, flag or key the token of this installation came from. */
  sourceOf(server: string): Source | undefined {
    return this.#byServer.get(server)?.source
  }

  /** Installations that have a token. */
  get servers(): readonly string[] {
    return [...this.#byServer.keys()]
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.servers.map((server) => [server, '[hidden]']))
  }

  [inspect.custom](): Record<string, string> {
    return this.toJSON()
  }
}

/** Reads the tokens of `places`, by precedence. Adds to `problems` and `warnings`; neither ever shows a token. */
export function readTokens(places: readonly TokenPlace[], problems: string[], warnings: string[]): Tokens {
  const tokens = new Tokens()
  for (const place of places) {
    const text =
      place.file === undefined ? place.text : readTokenFile(place.file, place.source.name, problems, warnings)
    const token = text?.trim()
    if (!token || place.server === undefined) continue
    if (TOKEN.test(token)) tokens.add(place.server, token, place.source, place.file)
    else problems.push(`${place.source.name}: expected one API token on one line, without spaces`)
  }
  return tokens
}

/** Anything else could smuggle a second header into a request. */
const TOKEN = /^[\x21-\x7e]+$/

/** The token in a file; undefined while there is none, as while somebody writes it. */
function tokenIn(path: string): string | undefined {
  try {
    const token = readFileSync(path, 'utf8').trim()
    return TOKEN.test(token) ? token : undefined
  } catch {
    return undefined
  }
}

function readTokenFile(path: string, name: string, problems: string[], warnings: string[]): string | undefined {
  try {
    const text = readFileSync(path, 'utf8')
    if (text.trim() === '') problems.push(`${name}: ${path} is empty; write the API token into it`)
    if (othersMayRead(path))
      warnings.push(`other users can read the token file ${path}; run: chmod 600 ${shellWord(path)}`)
    return text
  } catch (error) {
    problems.push(`${name}: the token file cannot be read: ${messageOf(error)}`)
    return undefined
  }
}

/** Whether a file with a secret is open to other users of this machine. */
export function othersMayRead(path: string): boolean {
  return process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0
}
