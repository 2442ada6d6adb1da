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
  /** Finds the address of a name; not that of a proxy, nor of what a proxy reaches. */
  readonly lookup: LookupFunction | undefined
}

/** Connections, straight or through proxies: `https:` in a tunnel, `http:` as proxies take it, since many allow no tunnel to port 80. */
export function agentFor({ connections, connectMs, proxies, ca, lookup }: AgentOptions): Dispatcher {
  const tls = { timeout: connectMs, ...(ca && { ca: [...ca] }) }
  const options = { connections, pipelining: 1, connect: { ...tls, ...(lookup && { lookup }) } }
  if (!hasProxies(proxies)) return new Agent(options)
  // Named here in full, so that undici looks at no variable by itself.
  const named = { httpProxy: proxies.http, httpsProxy: proxies.https, noProxy: proxies.none }
  return new EnvHttpProxyAgent({ ...options, ...named, proxyTls: tls, requestTls: tls, proxyTunnel: false })
}
