import type { LookupFunction } from 'node:net'
import { errors, type Dispatcher } from 'undici'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import { NO_PROXIES, proxyFor, proxyLabel, type Proxies } from '../../model/proxies.ts'
import { agentFor } from './agent.ts'
import { BufferPool } from './buffer-pool.ts'
import { isConnectionEnding, watchConnectionEnds } from './connection-end.ts'
import { header, parseContentLength, type Headers } from './headers.ts'
import { HttpBody } from './body.ts'
import { DirectExchange, type DirectRequest } from './direct.ts'
import {
  isInside,
  literalAddress,
  NETWORK,
  PrivateAddressError,
  publicLookup,
  type Network,
} from './private-address.ts'
import { unreachable } from './unreachable.ts'
import { LONGEST_TIMER_MS } from '../../async/pause.ts'

/** How long to wait, in milliseconds; 0 means for ever. */
export interface Timeouts {
  /** For a connection. Default 30 s. Not used with a dispatcher of your own. */
  readonly connectMs?: number
  /** For the status line. Default 5 min: a server that reads a range from a slow store first skips all before it. */
  readonly headersMs?: number
  /** Between two pieces of a body, while it is being read. Default 60 s. */
  readonly idleMs?: number
  /** Over which a body may bring less than 1 KiB a second, where its reader can go on at the same byte. Default 60 s. */
  readonly slowMs?: number
  /** For request and body together. Default 0: a large file may take days. */
  readonly totalMs?: number
}

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

/** One answer. The caller reads `body` to the end or closes it, else its connection stays in use. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: HttpBody
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

/** One request and its answer, in undici's vocabulary. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #origin: string
  /** The proxy in between, for messages. */
  readonly #via: string | undefined
  readonly #timeouts: Required<Timeouts>
  readonly #pool: BufferPool
  readonly #settle: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void }
  readonly #signal: AbortSignal | undefined
  readonly #total: NodeJS.Timeout | undefined
  #controller: Dispatcher.DispatchController | undefined
  #body: HttpBody | undefined
  #promised: number | undefined
  #chunked = false
  #received = 0
  #stopped: Error | undefined

  constructor(
    { origin, via }: { readonly origin: string; readonly via: string | undefined },
    timeouts: Required<Timeouts>,
    pool: BufferPool,
    settle: { resolve: (answer: HttpAnswer) => void; reject: (error: Error) => void },
    signal: AbortSignal | undefined,
  ) {
    this.#origin = origin
    this.#via = via
    this.#timeouts = timeouts
    this.#pool = pool
    this.#settle = settle
    this.#signal = signal
    signal?.addEventListener('abort', this.#onAbort, { once: true })
    const { totalMs } = timeouts
    if (totalMs > 0) this.#total = setTimeout(() => this.#stop(this.#tookTooLong(totalMs)), totalMs)
  }

  /** Nothing of an answer was used, and the request is sent once more. */
  restart(): void {
    this.#controller = undefined
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#stopped) controller.abort(this.#stopped)
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return
    this.#promised = parseContentLength(header(headers, 'content-length'))
    this.#chunked = header(headers, 'transfer-encoding') !== undefined
    this.#body = new HttpBody(
      {
        pause: () => controller.pause(),
        resume: () => controller.resume(),
        abort: () => this.#stop(new DataferryError('INTERRUPTED', 'The reader stopped.')),
        tooSlow: () => this.#tooSlow(),
      },
      this.#pool,
      this.#timeouts.slowMs,
    )
    this.#settle.resolve({ status, headers, body: this.#body })
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer, giveBack?: () => void): void {
    this.#received += chunk.length
    this.#body?.push(chunk, giveBack)
  }

  onResponseEnd(): void {
    this.#release()
    const short = this.#promised !== undefined && this.#received < this.#promised
    if (short || (this.#chunked && isConnectionEnding())) this.#body?.fail(this.#brokenOff())
    else this.#body?.end()
  }

  onResponseError(_: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#release()
    const reason = this.#stopped ?? this.#translate(error)
    if (this.#body) this.#body.fail(reason)
    else this.#settle.reject(reason)
  }

  readonly #onAbort = (): void => {
    if (this.#signal) this.#stop(abortError(this.#signal))
  }

  /** Ends the exchange now. While it waits for a connection undici has nothing to abort yet. */
  #stop(reason: Error): void {
    this.#stopped ??= reason
    this.#release()
    if (this.#controller) this.#controller.abort(reason)
    else this.#settle.reject(reason)
  }

  #release(): void {
    clearTimeout(this.#total)
    this.#signal?.removeEventListener('abort', this.#onAbort)
  }

  #translate(error: Error): DataferryError {
    const code = systemCode(error) ?? systemCode(error.cause) ?? error.name
    if (code === 'UND_ERR_INVALID_ARG' && !messageOf(error).startsWith('Proxy')) {
      return new DataferryError('ARGUMENT_INVALID', `This request cannot be sent: ${messageOf(error)}.`)
    }
    if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') {
      return new DataferryError('INTERRUPTED', `The client was closed during a request to ${this.#origin}.`)
    }
    if (error instanceof PrivateAddressError) return inside(this.#origin, error.address)
    if (!this.#body) return unreachable(this.#origin, code, error, this.#via)
    if (code === 'UND_ERR_BODY_TIMEOUT') {
      const seconds = this.#timeouts.idleMs / 1000
      const message = `${this.#origin} sent nothing for ${seconds} s after ${this.#progress()}.`
      return new DataferryError('SOURCE_UNREACHABLE', message, { cause: error })
    }
    return this.#brokenOff(error)
  }

  #brokenOff(cause?: Error): DataferryError {
    return new DataferryError('SHORT_BODY', `The connection to ${this.#origin} broke after ${this.#progress()}.`, {
      cause,
    })
  }

  #tookTooLong(totalMs: number): DataferryError {
    const message = `${this.#origin} took longer than the ${totalMs / 1000} s allowed in total, after ${this.#progress()}.`
    return new DataferryError('SOURCE_UNREACHABLE', message)
  }

  #tooSlow(): DataferryError {
    const seconds = this.#timeouts.slowMs / 1000
    const message = `${this.#origin} sent less than 1 KiB a second for ${seconds} s, after ${this.#progress()}.`
    return new DataferryError('SOURCE_UNREACHABLE', message)
  }

  #progress(): string {
    return `${this.#received}${this.#promised === undefined ? '' : ` of ${this.#promised}`} bytes`
  }
}

/** A redirect from outside must not reach into a private network. */
function inside(origin: string, address: string): DataferryError {
  const { host, hostname } = new URL(origin)
  const where = hostname.includes(address) ? `${host} is` : `${host} has the address ${address},`
  const message = `A public server redirected to ${origin}, but ${where} inside a private network, so it was not contacted. If that is intended, allow it with --allow-host ${hostname}.`
  return new DataferryError('SOURCE_REJECTED', message)
}

function noteOf({ method, url, headers }: HttpRequest): Pick<RequestNote, 'method' | 'url' | 'range'> {
  const { origin, pathname } = new URL(url)
  return { method, url: origin + pathname, ...(headers['range'] !== undefined && { range: headers['range'] }) }
}

/** The reason of an aborted signal, as an error. */
function abortError(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new DataferryError('INTERRUPTED', 'The request was cancelled.')
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
