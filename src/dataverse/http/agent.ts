import type { LookupFunction } from 'node:net'
import { Agent, EnvHttpProxyAgent, type Dispatcher } from 'undici'
import { hasProxies, type Proxies } from '../../model/proxies.ts'

interface AgentOptions {
  /** Connections per origin at the same time. */
  readonly connections: number
  /** For a connection. */
  readonly connectMs: number
  readonly proxies: Proxies
  /** Certificate authorities in PEM; undefined: those of Node.js. */
  readonly ca: readonly string[] | undefined
  /** Resolves host names; not those of a proxy, nor of hosts behind a proxy. */
  readonly lookup: LookupFunction | undefined
}

/** Connections, direct or through proxies: `https:` in a tunnel, `http:` without one, since many proxies allow no tunnel to port 80. */
export function agentFor({ connections, connectMs, proxies, ca, lookup }: AgentOptions): Dispatcher {
  const tls = { timeout: connectMs, ...(ca && { ca: [...ca] }) }
  const options = { connections, pipelining: 1, connect: { ...tls, ...(lookup && { lookup }) } }
  if (!hasProxies(proxies)) return new Agent(options)
  // All given explicitly, so that undici reads no environment variables itself.
  const named = { httpProxy: proxies.http, httpsProxy: proxies.https, noProxy: proxies.none }
  return new EnvHttpProxyAgent({ ...options, ...named, proxyTls: tls, requestTls: tls, proxyTunnel: false })
}
