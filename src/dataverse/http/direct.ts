import { HTTPParser } from 'http-parser-js'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { errors, type Dispatcher } from 'undici'
import { parseContentLength, header, type Headers } from './headers.ts'

/** Bytes that are read from a socket at a time: what a call to the system costs is shared by all of them. */
const READ = 512 * 1024
/** A read of fewer bytes is copied, so that a slow connection does not hold much memory with little in it. */
const WORTH_KEEPING = 128 * 1024
/** Tells the parser to read no body. */
const NO_BODY = 1
/** Buffers kept for the next connection. */
const KEPT = 16
const free: Buffer[] = []
/** As undici reads headers: a byte, a character. */
HTTPParser.encoding = 'latin1'

/** A GET request, as undici takes it. */
export interface DirectRequest {
  readonly origin: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  /** In ms; 0: for ever. */
  readonly headersTimeout: number
  readonly bodyTimeout: number
}

export interface DirectOptions {
  readonly connectMs: number
  /** Certificate authorities in PEM; undefined: those of Node.js. */
  readonly ca: readonly string[] | undefined
  readonly lookup: LookupFunction | undefined
  /** Called once the exchange is over. */
  readonly onOver: () => void
  /** Called instead of the handler, after `onOver`, for an answer that has to be asked for by other means. */
  readonly onUnfit: () => void
}

/** What undici tells its handlers, with memory that may be given back. */
export interface DirectHandler {
  onRequestStart(controller: Dispatcher.DispatchController): void
  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void
  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer, giveBack?: () => void): void
  onResponseEnd(): void
  onResponseError(controller: Dispatcher.DispatchController, error: Error): void
}

/**
 * Sends a request on a connection of its own, which ends with the answer. A body of known length is read straight from the
 * socket into few large buffers: half of what the same bytes cost through undici, which reads 64 KiB at a time. Whatever else
 * comes goes through the parser, except a body in chunks or of an odd length: the parser trusts those, so undici asks for
 * them again. Errors are those of undici.
 *
 * States: *connecting* → *head* (everything goes to the parser) → *body* (so many bytes, past the parser) → *over*.
 */
export class DirectExchange implements Dispatcher.DispatchController {
  readonly #handler: DirectHandler
  readonly #request: DirectRequest
  readonly #socket: Socket
  readonly #parser = new HTTPParser(HTTPParser.RESPONSE)
  readonly #options: DirectOptions
  #timer: NodeJS.Timeout | undefined
  /** What the socket reads into. */
  #memory: Buffer | undefined
  /** Bytes of the body that are still to come, past the parser; undefined: the parser sees everything. */
  #left: number | undefined
  #begun = false
  #over = false
  #paused = false
  #reason: Error | null = null

  constructor(request: DirectRequest, handler: DirectHandler, options: DirectOptions) {
    this.#request = request
    this.#handler = handler
    this.#options = options
    const { protocol, hostname, port } = new URL(request.origin)
    const host = hostname.replace(/^\[|\]$/g, '')
    const isSecure = protocol === 'https:'
    const { ca, lookup, connectMs } = options
    const onread = {
      buffer: (): Buffer => (this.#memory ??= free.pop() ?? Buffer.allocUnsafeSlow(READ)),
      callback: (length: number): boolean => this.#read(length),
    }
    const place = { host, port: Number(port) || (isSecure ? 443 : 80), onread, ...(lookup && { lookup }) }
    const tls = { ...(ca && { ca: [...ca] }), ...(isIP(host) === 0 && { servername: host }) }
    this.#socket = isSecure ? connectTls({ ...place, ...tls, ALPNProtocols: ['http/1.1'] }) : connect(place)
    this.#readHead()
    this.#wait(connectMs, () => new errors.ConnectTimeoutError('Connect Timeout Error'))
    this.#socket.once(isSecure ? 'secureConnect' : 'connect', () => this.#send())
    this.#socket.on('error', (error: Error) => this.#fail(error))
    this.#socket.once('end', () => this.#ended())
    this.#socket.once('close', () => this.#ended())
    handler.onRequestStart(this)
  }

  get aborted(): boolean {
    return this.#reason !== null
  }

  get paused(): boolean {
    return this.#paused
  }

  get reason(): Error | null {
    return this.#reason
  }

  abort(reason: Error): void {
    this.#reason = reason
    this.#fail(reason)
  }

  pause(): void {
    this.#paused = true
    clearTimeout(this.#timer)
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused || this.#over) return
    this.#paused = false
    this.#waitForBody()
    this.#socket.resume()
  }

  #send(): void {
    const { origin, path, headers, headersTimeout } = this.#request
    const all = { host: new URL(origin).host, connection: 'close', ...headers }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    this.#socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1')
    this.#wait(headersTimeout, () => new errors.HeadersTimeoutError())
  }

  #readHead(): void {
    this.#parser.onHeadersComplete = ({ statusCode, headers: flat }) => {
      const headers = byName(flat)
      const length = parseContentLength(header(headers, 'content-length'))
      const isOdd =
        header(headers, 'transfer-encoding') !== undefined ||
        (header(headers, 'content-length') !== undefined && length === undefined)
      // A redirect may have been counted, and nobody reads its body.
      const isRedirect = statusCode >= 300 && statusCode < 400
      if (isOdd && !isRedirect) {
        if (this.#finish()) this.#options.onUnfit()
        return NO_BODY
      }
      this.#begun = statusCode >= 200
      this.#handler.onResponseStart(this, statusCode, headers)
      if (isOdd) return NO_BODY
      if (statusCode === 200 || statusCode === 206) this.#left = length
      return undefined
    }
    this.#parser.onBody = (chunk, from, length) => {
      if (this.#left !== undefined) this.#left -= length
      this.#handler.onResponseData(this, Buffer.from(chunk.subarray(from, from + length)))
    }
    this.#parser.onMessageComplete = () => {
      if (this.#begun) this.#end()
    }
  }

  /** @returns false: no more for now */
  #read(length: number): boolean {
    const memory = this.#memory
    if (this.#over || !memory) return false
    if (this.#left === undefined) {
      const parsed = this.#parser.execute(Buffer.from(memory.subarray(0, length)))
      if (parsed instanceof Error) this.#fail(new errors.HTTPParserError(parsed.message))
    } else this.#pass(memory.subarray(0, Math.min(length, this.#left)))
    const isReading = this.#isReading()
    if (this.#begun && isReading) this.#waitForBody()
    return isReading
  }

  #isReading(): boolean {
    return !this.#over && !this.#paused
  }

  #pass(chunk: Buffer): void {
    if (chunk.length >= WORTH_KEEPING) {
      const memory = this.#memory
      this.#memory = undefined
      this.#handler.onResponseData(this, chunk, () => {
        if (memory && free.length < KEPT) free.push(memory)
      })
    } else this.#handler.onResponseData(this, Buffer.from(chunk))
    this.#left = (this.#left ?? 0) - chunk.length
    if (this.#left === 0) this.#end()
  }

  #waitForBody(): void {
    this.#wait(this.#request.bodyTimeout, () => new errors.BodyTimeoutError())
  }

  #wait(ms: number, error: () => Error): void {
    clearTimeout(this.#timer)
    if (ms > 0) this.#timer = setTimeout(() => this.#fail(error()), ms)
  }

  /** The other side ended the connection: where nothing says how long the body is, that is its end. */
  #ended(): void {
    if (this.#over) return
    if (this.#begun && this.#left === undefined && !(this.#parser.finish() instanceof Error)) this.#end()
    else this.#fail(new errors.SocketError('other side closed'))
  }

  #end(): void {
    if (!this.#finish()) return
    this.#handler.onResponseEnd()
  }

  #fail(error: Error): void {
    if (!this.#finish()) return
    this.#handler.onResponseError(this, error)
  }

  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    clearTimeout(this.#timer)
    this.#socket.destroy()
    this.#options.onOver()
    return true
  }
}

/** Name and value in turns, as they came → by lower-case name. */
function byName(flat: readonly string[]): Headers {
  const headers: Record<string, string | string[]> = {}
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = (flat[at] ?? '').toLowerCase()
    const known = headers[name]
    headers[name] = known === undefined ? (flat[at + 1] ?? '') : [known, flat[at + 1] ?? ''].flat()
  }
  return headers
}
