/** Proxies as the usual variables name them. Their addresses may hold a password: show `proxyLabel`. */
export interface Proxies {
  /** For `http:` addresses; '' for none. */
  readonly http: string
  /** For `https:` addresses; '' for that of `http:`, as undici has it. */
  readonly https: string
  /** Hosts that are asked directly: `host`, `.host`, `host:port`, with commas or blanks between; `*` for all. */
  readonly none: string
}

export const NO_PROXIES: Proxies = { http: '', https: '', none: '' }

export function hasProxies({ http, https }: Proxies): boolean {
  return http !== '' || https !== ''
}

/**
 * The proxy for an address; undefined: it is asked directly. The same rules as undici's `EnvHttpProxyAgent`, for what does
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

/** The address of a proxy without user and password. */
export function proxyLabel(proxy: string): string {
  const { protocol, host } = new URL(proxy)
  return `${protocol}//${host}`
}
