import type { LookupFunction } from 'node:net'
import { errors, type Dispatcher } from 'undici'
import { DataferryError, messageOf } from '../../errors.ts'
import { NO_PROXIES, proxyFor, proxyLabel, type Proxies } from '../../model/proxies.ts'
import { agentFor } from './agent.ts'
import { BufferPool } from './buffer-pool.ts'
import { watchConnectionEnds } from './connection-end.ts'
import { DirectExchange, type DirectRequest } from './direct.ts'
import { abortError, Exchange, inside, type HttpAnswer, type Timeouts } from './exchange.ts'
import { isInside, literalAddress, NETWORK, publicLookup, type Network } from './private-address.ts'
import { LONGEST_TIMER_MS } from '../../async/pause.ts'

/** How connections are made, and timeouts. */
export interface HttpOptions {
  readonly timeouts?: Timeouts
  /** Connections per origin at the same time. Default 8. Not used with a dispatcher of your own. */
  readonly connections?: number
  /** Default none. Not used with a dispatcher of your own. */
  readonly proxies?: Proxies
  /** Certificate authorities in PEM, all that are trusted. Default: those of Node.js. Not used with a dispatcher of your own. */
  readonly ca?: readonly string[] | undefined
  /** Sends the requests instead of our own agent, e.g. a proxy agent. It stays open when this client closes. */
  readonly dispatcher?: Dispatcher
  /** @internal */
  readonly network?: Network
  /** Is called for each request once its answer begins or it fails. */
  readonly onRequest?: (note: RequestNote) => void
}

/** A request that was sent, without secrets. */
export interface RequestNote {
  readonly method: string
  /** Without user, query and fragment: any of these may be a secret. */
  readonly url: string
  readonly range?: string
  readonly status?: number
  /** Until the answer began, or until the request failed. */
  readonly ms: number
  readonly problem?: string
}

/** One request, as it goes over the wire. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Sent exactly as written (re-encoding would break a signed URL), without any fragment. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  /**
   * The host may not be inside a private network. With a dispatcher of one's own, such as a proxy's, only a host that is
   * written as an address can be judged.
   */
  readonly outside?: boolean
  /** A GET whose answer should have very many bytes, so that it is worth a connection of its own. */
  readonly large?: boolean
  readonly signal?: AbortSignal | undefined
}

/** A pool of connections that sends single requests: no redirects, no retries, no cookies, no decoding. */
export class Http {
  readonly #timeouts: Required<Timeouts>
  readonly #dispatcher: Dispatcher
  /** Connects to public addresses only. */
  readonly #outside: Dispatcher
  readonly #network: Network
  readonly #own: boolean
  readonly #pool = new BufferPool()
  readonly #proxies: Proxies
  readonly #ca: HttpOptions['ca']
  /** Requests that go past the dispatchers. */
  readonly #direct = new Set<DirectExchange>()
  #closed = false
  readonly #onRequest: HttpOptions['onRequest']

  constructor({
    timeouts = {},
    connections = 8,
    proxies = NO_PROXIES,
    ca,
    dispatcher,
    network = NETWORK,
    onRequest,
  }: HttpOptions = {}) {
    this.#onRequest = onRequest
    this.#proxies = dispatcher === undefined ? proxies : NO_PROXIES
    this.#timeouts = {
      connectMs: timer(timeouts.connectMs, 30_000),
      headersMs: timer(timeouts.headersMs, 300_000),
      idleMs: timer(timeouts.idleMs, 60_000),
      slowMs: timer(timeouts.slowMs, 60_000),
      totalMs: timer(timeouts.totalMs, 0),
    }
    watchConnectionEnds()
    this.#own = dispatcher === undefined
    this.#ca = ca
    this.#network = network
    const agent = (lookup: LookupFunction | undefined) =>
      agentFor({ connections, connectMs: this.#timeouts.connectMs, proxies, ca, lookup })
    this.#dispatcher = dispatcher ?? agent(undefined)
    this.#outside = dispatcher ?? agent(publicLookup(network))
  }

  /**
   * Resolves with the answer, whatever its status, as soon as its headers are there. Rejects with `SOURCE_UNREACHABLE`,
   * `SOURCE_REJECTED` for a host that may not be contacted, `ARGUMENT_INVALID` for what HTTP cannot carry, or the signal's
   * reason.
   * @internal
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    if (request.signal?.aborted) throw abortError(request.signal)
    const begun = performance.now()
    const note = (end: Pick<RequestNote, 'status' | 'problem'>): void => {
      if (this.#onRequest) this.#onRequest({ ...noteOf(request), ms: Math.round(performance.now() - begun), ...end })
    }
    try {
      const answer = await this.#dispatch(request)
      note({ status: answer.status })
      return answer
    } catch (error) {
      note({ problem: messageOf(error) })
      throw error
    }
  }

  #dispatch(request: HttpRequest): Promise<HttpAnswer> {
    const { origin, path } = splitUrl(request.url)
    if (request.outside) this.#refuseInside(new URL(origin))
    const proxy = proxyFor(request.url, this.#proxies)
    const via = proxy === undefined ? undefined : proxyLabel(proxy)
    return new Promise((resolve, reject) => {
      const exchange = new Exchange({ origin, via }, this.#timeouts, this.#pool, { resolve, reject }, request.signal)
      const { method, headers, body } = request
      const { headersMs: headersTimeout, idleMs: bodyTimeout } = this.#timeouts
      const ask = (): void => {
        try {
          const dispatcher = request.outside ? this.#outside : this.#dispatcher
          dispatcher.dispatch(
            { origin, path, method, headers: { ...headers }, body: body ?? null, headersTimeout, bodyTimeout },
            exchange,
          )
        } catch (error) {
          exchange.onResponseError(undefined, error instanceof Error ? error : new Error(String(error)))
        }
      }
      if (request.large && this.#own && proxy === undefined && !this.#closed) {
        const direct = { origin, path, headers, headersTimeout, bodyTimeout }
        this.#askDirectly(direct, exchange, request.outside === true, ask)
      } else ask()
    })
  }

  /**
   * Whether a host is inside a private network. A name is only looked up for direct connections: behind a proxy it is
   * the proxy that resolves it.
   * @internal
   */
  async isInside(hostname: string): Promise<boolean> {
    const known = this.#own || literalAddress(hostname) !== undefined
    return known && isInside(hostname, this.#network)
  }

  /** Ends every transfer in flight and closes the connections, unless the dispatcher was brought along. */
  async close(): Promise<void> {
    this.#closed = true
    for (const one of this.#direct) one.abort(new errors.ClientDestroyedError())
    if (this.#own) await Promise.all([this.#dispatcher.destroy(), this.#outside.destroy()])
  }

  #askDirectly(request: DirectRequest, exchange: Exchange, outside: boolean, askAgain: () => void): void {
    const lookup = outside ? publicLookup(this.#network) : undefined
    const onOver = (): void => void this.#direct.delete(direct)
    const onUnfit = (): void => {
      exchange.restart()
      askAgain()
    }
    const options = { connectMs: this.#timeouts.connectMs, ca: this.#ca, lookup, onOver, onUnfit }
    const direct = new DirectExchange(request, exchange, options)
    this.#direct.add(direct)
  }

  #refuseInside({ origin, hostname }: URL): void {
    const literal = literalAddress(hostname)
    if (literal !== undefined && this.#network.isPrivate(literal)) throw inside(origin, literal)
  }
}

function noteOf({ method, url, headers }: HttpRequest): Pick<RequestNote, 'method' | 'url' | 'range'> {
  const { origin, pathname } = new URL(url)
  return { method, url: origin + pathname, ...(headers['range'] !== undefined && { range: headers['range'] }) }
}

/** Splits a URL without re-encoding it, unless it holds what a request line cannot. */
function splitUrl(url: string): { origin: string; path: string } {
  const match = /^(https?:\/\/[^/?#]+)([^#]*)/i.exec(url)
  if (!match?.[1] || !URL.canParse(url)) throw new DataferryError('ARGUMENT_INVALID', 'This is not an http(s) URL.')
  const { origin, pathname, search } = new URL(url)
  const path = match[2] ?? ''
  if (!/^[\x21-\x7e]*$/.test(path)) return { origin, path: pathname + search }
  return { origin, path: path.startsWith('/') ? path : `/${path}` }
}

/** A timeout as Node.js can keep it: longer than 24 days is as good as that. */
function timer(ms: number | undefined, usual: number): number {
  return Math.min(ms ?? usual, LONGEST_TIMER_MS)
}
