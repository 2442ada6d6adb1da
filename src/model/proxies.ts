/** Proxies from the usual variables. Their URLs may hold a password: show `proxyLabel`. */
export interface Proxies {
  /** For `http:` URLs; '' for none. */
  readonly http: string
  /** For `https:` URLs; '' for that of `http:`, as in undici. */
  readonly https: string
  /** Hosts that are reached directly: `host`, `.host`, `host:port`, separated by commas or spaces; `*` for all. */
  readonly none: string
}

export const NO_PROXIES: Proxies = { http: '', https: '', none: '' }

export function hasProxies({ http, https }: Proxies): boolean {
  return http !== '' || https !== ''
}

/**
 * The proxy for a URL; undefined: it is reached directly. The same rules as undici's `EnvHttpProxyAgent`, for what does
 * not go through undici.
 */
export function proxyFor(url: string, { http, https, none }: Proxies): string | undefined {
  const { protocol, host, port } = new URL(url)
  const name = host.replace(/:\d*$/, '').toLowerCase()
  const number = Number(port) || (protocol === 'https:' ? 443 : 80)
  if (none === '*' || none.split(/[,\s]+/).some((entry) => covers(entry, name, number))) return undefined
  return (protocol === 'https:' ? https || http : http) || undefined
}

function covers(entry: string, host: string, port: number): boolean {
  const [, name = '', only] = /^(.+?)(?::(\d+))?$/.exec(entry) ?? []
  const known = name.replace(/^\*?\./, '').toLowerCase()
  return known !== '' && (only === undefined || Number(only) === port) && (host === known || host.endsWith(`.${known}`))
}

/** The URL of a proxy without user and password. */
export function proxyLabel(proxy: string): string {
  const { protocol, host } = new URL(proxy)
  return `${protocol}//${host}`
}
