import { DataferryError } from '../errors.ts'
import { parseEnvelope } from './envelope.ts'
import { Installation, type Answer, type InstallationOptions } from './installation.ts'
import type { Route } from './route.ts'

/**
 * What is at a URL.
 * - `fine`: an installation, or something that is away or overloaded at the moment and may be one
 * - `elsewhere`: not one, but there is one at another URL, to which this one redirects or below which it is
 * - `nothing`: something that answers, and is not an installation
 */
export type Look =
  | { readonly kind: 'fine' }
  | { readonly kind: 'elsewhere'; readonly address: string; readonly redirected: boolean }
  | { readonly kind: 'nothing'; readonly why: string }

/** How this client looks to servers, and over which connections; no token: it must not be sent to an unchecked server. */
type Visitor = Pick<InstallationOptions, 'http' | 'contact' | 'userAgent' | 'allowHosts'>

const VERSION: Route = { path: 'info/version', query: [], what: 'its version' }
/** Bytes of an answer that are looked at. */
const ENOUGH = 64 * 1024
/** Page titles of a site that is down for a while, and of the container that Dataverse runs in. */
const AWAY = /maintenance|unavailable|down for|restart|payara|glassfish|wildfly/i
const FINE: Look = { kind: 'fine' }

/**
 * Finds out whether a URL is that of an installation, with a few small requests, and without a token. Rejects with
 * `TLS_REJECTED` and `PROXY_REJECTED`, and with the signal's reason; any other error counts as being away.
 */
export async function lookAtServer(baseUrl: string, visitor: Visitor, signal: AbortSignal): Promise<Look> {
  const seen = await ask(baseUrl, visitor, signal)
  if (seen === 'fine') return FINE
  if (seen.sentTo !== undefined) {
    const address = seen.sentTo.replace(/\/api(?:\/v\d+)?\/info\/version.*$/s, '')
    if (address !== seen.sentTo && (await ask(address, visitor, signal)) === 'fine')
      return { kind: 'elsewhere', address, redirected: true }
    return { kind: 'nothing', why: `it sends visitors to ${new URL(seen.sentTo).origin}` }
  }
  for (const address of above(baseUrl)) {
    if ((await ask(address, visitor, signal)) === 'fine') return { kind: 'elsewhere', address, redirected: false }
  }
  return seen.isApi || AWAY.test(seen.page) || (await isSilent(baseUrl, visitor, signal))
    ? FINE
    : { kind: 'nothing', why: `${baseUrl}/api/info/version answered with ${seen.said}` }
}

/** The answer of a URL that is not an installation. */
interface Stranger {
  /** Where it redirects to, on another origin. */
  readonly sentTo: string | undefined
  /** It answers as the API does, but not at this path: a page of an installation, or an unusual one. */
  readonly isApi: boolean
  readonly page: string
  readonly said: string
}

async function ask(baseUrl: string, visitor: Visitor, signal: AbortSignal): Promise<'fine' | Stranger> {
  try {
    const answer = await new Installation({ ...visitor, baseUrl }).send({ route: VERSION, signal }, true)
    const page = new TextDecoder().decode(await answer.body.beginning(ENOUGH))
    if (answer.handedTo !== undefined) return { sentTo: answer.handedTo, isApi: false, page, said: '' }
    return judge(answer, page)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof DataferryError && error.remedy === 'park') throw error
    return 'fine'
  }
}

function judge({ status }: Answer, page: string): 'fine' | Stranger {
  const isApi = parseEnvelope(page) !== undefined
  // A firewall, a rate limiter and a failing server say nothing about the URL.
  if ((isApi && status !== 404) || status >= 500 || [202, 401, 403, 408, 429].includes(status)) return 'fine'
  const title = /<title[^>]*>([^<]+)/i.exec(page)?.[1]?.trim()
  const said = title ? `the page “${title.slice(0, 80)}” (${status})` : `status ${status}`
  return { sentTo: undefined, isApi, page, said }
}

/** A server that does not even know its own front page is restarting. */
async function isSilent(baseUrl: string, visitor: Visitor, signal: AbortSignal): Promise<boolean> {
  const { http } = visitor
  if (!http) return false
  try {
    const url = `${new URL(baseUrl).origin}/`
    const { status, body } = await http.send({ method: 'GET', url, headers: {}, signal })
    const page = new TextDecoder().decode(await body.beginning(ENOUGH))
    return status >= 400 || AWAY.test(page)
  } catch {
    signal.throwIfAborted()
    return true
  }
}

/** The URLs above one: `https://a/b/c` → `https://a/b`, `https://a`. */
function above(baseUrl: string): string[] {
  const { origin, pathname } = new URL(baseUrl)
  const segments = pathname.split('/').filter((segment) => segment !== '')
  return segments.map((_, at) => [origin, ...segments.slice(0, segments.length - 1 - at)].join('/')).slice(0, 4)
}
