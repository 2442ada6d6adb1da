import { DataferryError } from '../errors.ts'
import { failureFrom } from './failure.ts'
import { header } from './http/headers.ts'
import type { HttpAnswer } from './http/exchange.ts'
import { Http, type HttpOptions, type HttpRequest } from './http/http.ts'
import { redact } from './redact.ts'
import { isElsewhere, nextHop, type Hop } from './http/redirect.ts'
import { afterCounting } from '../model/source.ts'
import type { TakeSlot, TakenSlot } from '../model/take-slot.ts'
import { encodeQuery, type Query, type Route } from './route.ts'
import { DATAFERRY_VERSION } from './version.ts'

/** Bytes of an error page read for its message. */
const LONGEST_COMPLAINT = 64 * 1024
const MOST_HOPS = 8
const NEVER = new AbortController().signal
const AT_ONCE: TakenSlot = { release: () => undefined }

/** Where an installation is, as whom to ask, and over which connections. */
export interface InstallationOptions extends HttpOptions {
  /** URL of the installation; a sub-path is kept. */
  readonly baseUrl: string
  /** Sent as `X-Dataverse-key`, to the origin of `baseUrl` alone. A function is asked before each request: the token may change. */
  readonly apiToken?: string | (() => string | undefined) | undefined
  /** Sent as `Authorization: Bearer`, to the origin of `baseUrl` alone. Only one of the two may be given. */
  readonly bearerToken?: string | undefined
  /** `v1` makes `/api/v1/…` of `/api/…`; the server treats both alike. */
  readonly apiVersion?: string | undefined
  /** Contact for questions about this traffic, added to the User-Agent: an e-mail address or a URL. */
  readonly contact?: string | undefined
  /** Replaces the whole User-Agent. */
  readonly userAgent?: string | undefined
  /**
   * Hosts inside a private network that a public installation may redirect to, e.g. `minio.internal`. An installation
   * that is inside itself may do so anyway.
   */
  readonly allowHosts?: readonly string[] | undefined
  /** Connections shared with other clients. The client does not close them, and its own connection options are not used. */
  readonly http?: Http | undefined
  /**
   * Asked before each question, and given back when its answer has come. Downloads do not ask it.
   * @internal
   */
  readonly takeSlot?: TakeSlot | undefined
}

/** One call of the API. */
export interface ApiRequest {
  readonly route: Route
  readonly method?: HttpRequest['method']
  /** Added to what the route already asks. */
  readonly query?: Query
  readonly body?: { readonly text: string; readonly type: string }
  readonly range?: string | undefined
  /** As in `HttpRequest`. */
  readonly large?: boolean
  readonly signal?: AbortSignal | undefined
}

/** An answer after all redirects, with what is needed to judge it. */
export interface Answer extends HttpAnswer {
  readonly what: string
  readonly host: string
  readonly elsewhere: boolean
  readonly authenticated: boolean
  /** Where the first redirect to another origin led: a signed URL, so a secret; undefined when there was none. */
  readonly handedTo: string | undefined
  /** A 303 led here: the installation handed out a link to its storage, and has counted the download. */
  readonly stored: boolean
}

/** One Dataverse installation as one user sees it: builds URLs, keeps the token to itself, follows redirects. */
export class Installation {
  /** Without trailing slash. */
  readonly baseUrl: string
  readonly #origin: string
  readonly #api: string
  readonly #apiToken: () => string | undefined
  readonly #bearerToken: string | undefined
  readonly #userAgent: string
  readonly #allowHosts: ReadonlySet<string>
  #inside: Promise<boolean> | undefined
  readonly #http: Http
  readonly #ownsHttp: boolean
  readonly #takeSlot: TakeSlot

  constructor(options: InstallationOptions) {
    const { baseUrl, apiToken, bearerToken, apiVersion, http } = options
    this.baseUrl = checkBaseUrl(baseUrl)
    this.#origin = new URL(this.baseUrl).origin
    this.#api = `${this.baseUrl}/api${apiVersion === undefined ? '' : `/${checkVersion(apiVersion)}`}`
    this.#apiToken = typeof apiToken === 'function' ? apiToken : () => apiToken
    this.#bearerToken = bearerToken
    // What cannot be sent is refused before anything is.
    credentials(this.#apiToken(), bearerToken)
    this.#userAgent =
      options.userAgent ?? `dataferry/${DATAFERRY_VERSION}${options.contact ? ` (${options.contact})` : ''}`
    this.#allowHosts = new Set(options.allowHosts?.map((host) => host.toLowerCase()))
    this.#http = http ?? new Http(options)
    this.#ownsHttp = http === undefined
    this.#takeSlot = options.takeSlot ?? (() => Promise.resolve(AT_ONCE))
  }

  get hasToken(): boolean {
    return this.#secrets().length > 0
  }

  /** Waits until one more question may be asked. The caller gives the slot back when the answer has come. */
  slot(signal: AbortSignal = NEVER): Promise<TakenSlot> {
    return this.#takeSlot(this.baseUrl, signal)
  }

  /** Host of the installation, for messages. */
  get host(): string {
    return new URL(this.#origin).host
  }

  url(route: Route, query: Query = []): string {
    return `${this.#api}/${route.path}${encodeQuery([...route.query, ...query])}`
  }

  /** Removes secrets from foreign text. */
  redact(text: string): string {
    return redact(text, this.#secrets())
  }

  /**
   * Sends a request and follows redirects until an answer comes, whatever its status. With `handOver` it stops where the first
   * redirect leaves the installation's origin, and answers that redirect.
   */
  async send(request: ApiRequest, handOver = false): Promise<Answer> {
    const hop: Hop = {
      url: this.url(request.route, request.query),
      method: request.method ?? 'GET',
      body: request.body,
      withCredentials: true,
    }
    return this.#follow(hop, request, handOver)
  }

  /** Opens a URL that the installation itself signed: it needs no credentials and gets none. */
  async sendSigned(url: string, request: Pick<ApiRequest, 'route' | 'range' | 'signal'>): Promise<Answer> {
    // Behind a proxy that ends TLS the server signs `http:` for itself; only https may be used to reach it.
    const same = new URL(this.baseUrl)
    const target = new URL(url)
    const secure = same.protocol === 'https:' && target.protocol === 'http:' && target.hostname === same.hostname
    const signed = secure ? url.replace(/^http:/i, 'https:') : url
    return this.#follow({ url: signed, method: 'GET', body: undefined, withCredentials: false }, request, false)
  }

  /** Asks a store by the link that the installation handed out before. The link needs no credentials and gets none. */
  async sendStored(url: string, request: ApiRequest): Promise<Answer> {
    const answer = await this.#follow({ url, method: 'GET', body: undefined, withCredentials: false }, request, false)
    return { ...answer, handedTo: url, stored: true }
  }

  /** The error that a failed answer stands for; reads the beginning of its body and closes it. */
  async failure(answer: Answer, { continuation = false } = {}): Promise<DataferryError> {
    const text = new TextDecoder().decode(await answer.body.beginning(LONGEST_COMPLAINT))
    return this.failureOf(answer, text, continuation)
  }

  /** As `failure`, with the body already read. */
  failureOf(answer: Answer, text: string, continuation = false): DataferryError {
    return failureFrom({ ...answer, text, continuation }, (said) => this.redact(said))
  }

  async close(): Promise<void> {
    if (this.#ownsHttp) await this.#http.close()
  }

  async #follow(first: Hop, request: ApiRequest, handOver: boolean): Promise<Answer> {
    let hop = first
    let handedTo: string | undefined
    let stored = false
    for (let hops = 0; hops <= MOST_HOPS; hops += 1) {
      const { origin, host } = new URL(hop.url)
      const authenticated = hop.withCredentials && this.hasToken
      const answer = await this.#sendHop(hop, request).catch((error: unknown) => {
        throw stored ? afterCounting(error) : error
      })
      const seen = {
        ...answer,
        what: request.route.what,
        host,
        elsewhere: isElsewhere(origin, this.#origin),
        authenticated,
        stored,
      }
      const location = header(answer.headers, 'location')
      if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return { ...seen, handedTo }
      const next = nextHop(hop, answer.status, location, this.#origin)
      if (!next.withCredentials) handedTo ??= next.url
      if (handOver && handedTo !== undefined) return { ...seen, handedTo }
      await answer.body.beginning(LONGEST_COMPLAINT)
      stored ||= answer.status === 303
      hop = next
    }
    const message = `${this.host} redirected more than ${MOST_HOPS} times for ${request.route.what}.`
    throw new DataferryError('SOURCE_UNEXPECTED', message)
  }

  async #sendHop(hop: Hop, request: ApiRequest): Promise<HttpAnswer> {
    return this.#http.send({
      method: hop.method,
      url: hop.url,
      headers: this.#headers(hop, request.range),
      body: hop.body?.text,
      outside: await this.#mustBeOutside(hop.url),
      large: request.large === true && hop.method === 'GET',
      signal: request.signal,
    })
  }

  /** Whether a foreign URL must not lead into a private network. */
  async #mustBeOutside(url: string): Promise<boolean> {
    const { host, hostname } = new URL(url)
    const home = new URL(this.#origin).hostname
    if (hostname === home || this.#allowHosts.has(hostname) || this.#allowHosts.has(host)) return false
    this.#inside ??= this.#http.isInside(home)
    return !(await this.#inside)
  }

  #headers(hop: Hop, range: string | undefined): Record<string, string> {
    return {
      // A compressed answer has another length and other ranges.
      'accept-encoding': 'identity',
      accept: '*/*',
      'user-agent': this.#userAgent,
      ...(range === undefined ? {} : { range }),
      ...(hop.body ? { 'content-type': hop.body.type } : {}),
      ...(hop.withCredentials ? credentials(this.#apiToken(), this.#bearerToken) : {}),
    }
  }

  #secrets(): readonly string[] {
    return [this.#apiToken(), this.#bearerToken].filter((secret) => secret !== undefined)
  }
}

function credentials(apiToken: string | undefined, bearerToken: string | undefined): Record<string, string> {
  if (apiToken !== undefined && bearerToken !== undefined) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      'Give apiToken or bearerToken, not both: the server would use only one.',
    )
  }
  if (apiToken !== undefined) return { 'x-dataverse-key': checkToken('apiToken', apiToken) }
  if (bearerToken !== undefined) return { authorization: `Bearer ${checkToken('bearerToken', bearerToken)}` }
  return {}
}

/** Callers without types may pass anything; and a header can carry only printable ASCII. */
function checkToken(name: string, token: unknown): string {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
  throw new DataferryError(
    'ARGUMENT_INVALID',
    `${name} must be text without spaces or line breaks; omit it for public files.`,
  )
}

function checkBaseUrl(baseUrl: string): string {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new DataferryError('ARGUMENT_INVALID', 'baseUrl must be an http(s) URL such as https://demo.dataverse.org.')
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new DataferryError(
      'ARGUMENT_INVALID',
      'baseUrl must hold no user name, query or fragment: tokens go in apiToken.',
    )
  }
  return url.origin + url.pathname.replace(/\/+$/, '')
}

function checkVersion(apiVersion: string): string {
  if (/^v\d+$/.test(apiVersion)) return apiVersion
  throw new DataferryError('ARGUMENT_INVALID', 'apiVersion must look like v1.')
}
