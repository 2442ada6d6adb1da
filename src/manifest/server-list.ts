import { badLine, quoted } from './bad-line.ts'

/** An installation that this batch may contact. */
interface Base {
  /** As entries name it: no trailing slash. */
  readonly base: string
  readonly url: URL
  /** Its sub-path without trailing slash, '' when it has none. */
  readonly path: string
}

/** Longest base URL, in characters. */
const MAX_BASE = 1024

/** The installations that a manifest may name: a URL elsewhere is a bad line, so that a manifest cannot choose hosts. */
export class ServerList {
  readonly #bases: readonly Base[]

  readonly #pasted: boolean

  /** @param pasted those of a page, where there are no flags */
  constructor(servers: readonly string[], pasted = false) {
    this.#pasted = pasted
    this.#bases = servers.map((server) => {
      const url = new URL(server)
      return { base: server.replace(/\/+$/, ''), url, path: url.pathname.replace(/\/+$/, '') }
    })
  }

  /** The base URL that a URL belongs to, and the path below it. Throws a bad line when there is none. */
  locate(address: URL): { readonly server: string; readonly path: string } {
    let best: Base | undefined
    for (const base of this.#bases) {
      if (belongs(address, base) && base.path.length >= (best?.path.length ?? 0)) best = base
    }
    if (!best) throw this.#unknown(address.origin)
    return { server: best.base, path: address.pathname.slice(best.path.length) }
  }

  /** The URL of a path on the default server, as links on its own pages have it. */
  absolute(path: string): string {
    return `${this.#bases[0]?.url.origin ?? ''}${path}`
  }

  /** Whether a text is a URL on one of the servers, without its `https://`. */
  begins(text: string): boolean {
    const start = text.slice(0, MAX_BASE).toLowerCase()
    return this.#bases.some(({ url, path }) => url.protocol === 'https:' && start.startsWith(`${url.host}${path}/`))
  }

  /** Reads a `server` column: a base URL, or its host alone. Throws a bad line when it is not in the list. */
  named(text: string): string {
    if (text.length > MAX_BASE) throw this.#unknown(text)
    const wanted = text.replace(/\/+$/, '')
    const known = this.#bases.find(({ base, url, path }) => base === wanted || url.host + path === wanted.toLowerCase())
    if (known) return known.base
    if (!wanted.includes('://') || !URL.canParse(wanted)) throw this.#unknown(wanted)
    const address = readAddress(wanted)
    const { server, path } = this.locate(address)
    if (path !== '' && path !== '/') throw badLine(`server ${quoted(text)} is more than a base URL: give ${server}`)
    return server
  }

  #unknown(server: string): Error {
    const shown = quoted(server).slice(1, -1)
    const why = this.#pasted
      ? 'is not served here: choose a server of this dashboard'
      : `is not given with --server or in the config file: add --server ${shown}`
    return badLine(`server ${shown} ${why}, or remove the line`)
  }
}

/** Plain http counts as the same host's https, since only the URL in the list is ever contacted. */
function belongs(address: URL, { url, path }: Base): boolean {
  const sameOrigin =
    address.origin === url.origin ||
    (address.protocol === 'http:' && url.protocol === 'https:' && address.host === url.host)
  return sameOrigin && (address.pathname === path || address.pathname.startsWith(`${path}/`))
}

/** Query parameters that are credentials, for Dataverse or for storage: such URLs are personal and expire. */
const SECRETS = /^(?:(?:unblock-)?key|.*token|sig|signature|x-amz-.*|invocationid)$/i

/** Reads an http(s) URL. Throws a bad line when it is malformed or holds a secret, which the message does not show. */
export function readAddress(text: string): URL {
  if (!URL.canParse(text)) throw badLine(`${quoted(text)} is not a valid URL: check its spelling`)
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw badLine(`${quoted(text)} is not an http or https URL: give a Dataverse URL, an id or a PID`)
  }
  const secret = [...url.searchParams.keys()].find((name) => SECRETS.test(name))
  if (secret !== undefined || url.username !== '' || url.password !== '') {
    const what = secret === undefined ? 'a user name or password' : `a secret (${quoted(secret).slice(1, -1)}=***)`
    throw badLine(`the URL at ${url.host} contains ${what}: remove it, and set DATAVERSE_API_TOKEN instead`)
  }
  return url
}
