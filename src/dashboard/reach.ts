import { networkInterfaces, hostname } from 'node:os'

/** Where a dashboard may be reached, which is all that a request may name as its host. */
export interface Reach {
  /** Whether it is known under a name or an address, IPv6 in brackets; at any port, as a tunnel has another one. */
  knows(name: string): boolean
  /** `https://data.example.edu`: addresses under which a proxy in front of it is known. */
  readonly origins: ReadonlySet<string>
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
/** Interfaces that only this machine reaches. */
const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '::1'])
const ANY_INTERFACE = new Set(['0.0.0.0', '::'])

/** The interface that a person names, in its one form: `[::0]` → `::`; undefined: it can be none. */
export function interfaceOf(text: string): string | undefined {
  const inBrackets = text.includes(':') && !text.startsWith('[') ? `[${text}]` : text
  const isWhole = /^[\w.:[\]-]{1,253}$/.test(text) && URL.canParse(`http://${inBrackets}`)
  const name = isWhole ? new URL(`http://${inBrackets}`).host : ''
  return name === '' ? undefined : name.replace(/^\[(.*)\]$/, '$1')
}

export function isLoopback(host: string): boolean {
  return LOOPBACK_HOSTS.has(host)
}

/**
 * @param host the interface that is listened on
 * @param origins addresses under which people reach it besides
 */
export function reachOf(host: string, origins: readonly string[]): Reach {
  const fixed = new Set([...LOOPBACK, inUrl(host), ...origins.map((origin) => new URL(origin).hostname)])
  return {
    // A machine may get another address at any time.
    knows: (name) => fixed.has(name) || (ANY_INTERFACE.has(host) && ownNames().includes(name)),
    origins: new Set(origins),
  }
}

/** How a person reaches what listens on an interface, as it stands in a URL: from other machines, too, where they can. */
export function reachedAt(host: string): string {
  if (host === '127.0.0.1') return 'localhost'
  if (!ANY_INTERFACE.has(host)) return inUrl(host)
  const outside = addresses().filter(({ internal, scopeid }) => !internal && !scopeid)
  // What listens on every IPv6 address listens on those of IPv4, too.
  const found = outside.find(({ family }) => family === 'IPv4') ?? outside.find(() => host === '::')
  return inUrl(found?.address ?? '127.0.0.1')
}

function ownNames(): readonly string[] {
  return [hostname().toLowerCase(), ...addresses().map(({ address }) => inUrl(address))]
}

function addresses() {
  return Object.values(networkInterfaces()).flatMap((all) => all ?? [])
}

/** An address as it stands in a URL. */
function inUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host.toLowerCase()
}
