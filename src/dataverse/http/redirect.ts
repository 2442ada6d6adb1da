import { DataferryError } from '../../errors.ts'
import type { HttpRequest } from './http.ts'

/** One request in a chain of redirects. */
export interface Hop {
  readonly url: string
  readonly method: HttpRequest['method']
  readonly body: { readonly text: string; readonly type: string } | undefined
  /** Once false it stays false: a redirect back from another host is that host's choice, not the user's. */
  readonly withCredentials: boolean
}

/**
 * Where a redirect leads. `origin` is the configured one: the only one that ever gets credentials or a body.
 * Rejects with `SOURCE_REJECTED` what must not be followed: not a URL, another scheme, `https` → `http`, or a request with
 * a body to another origin.
 * @see the protocol note §5; RFC 9110 §15.4
 */
export function nextHop(hop: Hop, status: number, location: string, origin: string): Hop {
  const url = resolve(hop.url, location)
  const { protocol, origin: target, host } = new URL(url)
  if (protocol === 'http:' && !origin.startsWith('http:')) {
    throw new DataferryError(
      'SOURCE_REJECTED',
      `${new URL(hop.url).host} redirected to ${host} without TLS, which is not followed.`,
    )
  }
  const home = target === origin
  const left = new URL(hop.url).protocol === 'https:' && protocol === 'http:'
  const withCredentials = hop.withCredentials && home && !left
  if (status === 303 || hop.method === 'GET') return { url, method: 'GET', body: undefined, withCredentials }
  if (withCredentials || (home && !hop.body)) return { ...hop, url, withCredentials }
  const message = `${new URL(hop.url).host} redirected a ${hop.method} request to ${target}: use that as the base URL.`
  throw new DataferryError('SOURCE_REJECTED', message)
}

/**
 * Whether an answer came from someone other than the installation: from storage, or a firewall. An installation
 * given with `http:` that redirects to its `https:` URL is still itself, though it gets no token there.
 */
export function isElsewhere(origin: string, home: string): boolean {
  return origin !== home && origin !== home.replace(/^http:\/\/([^:]+)$/, 'https://$1')
}

/** Characters of a host's name. @see RFC 1035 §2.3.4 */
const LONGEST_HOST = 253

/** A full URL is kept as written, since re-encoding could break its signature, unless it cannot be sent so. */
function resolve(base: string, location: string): string {
  if (!URL.canParse(location, base) || new URL(location, base).hostname.length > LONGEST_HOST) {
    throw new DataferryError('SOURCE_REJECTED', `${new URL(base).host} redirected to something that is not a URL.`)
  }
  const url = new URL(location, base)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new DataferryError(
      'SOURCE_REJECTED',
      `${new URL(base).host} redirected to a ${url.protocol.slice(0, 40)} address.`,
    )
  }
  return /^https?:\/\/[\x21-\x7e]*$/i.test(location) ? location : url.href
}
