import type { Dispatcher } from 'undici'
import { DataferryError, messageOf, systemCode } from '../../errors.ts'
import { HttpBody } from './body.ts'
import type { BufferPool } from './buffer-pool.ts'
import { isConnectionEnding } from './connection-end.ts'
import { header, parseContentLength, type Headers } from './headers.ts'
import { PrivateAddressError } from './private-address.ts'
import { unreachable } from './unreachable.ts'

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

/** One answer. The caller reads `body` to the end or closes it, else its connection stays in use. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: HttpBody
}

/** One request and its answer, in undici's vocabulary. */
export class Exchange implements Dispatcher.DispatchHandler {
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
export function inside(origin: string, address: string): DataferryError {
  const { host, hostname } = new URL(origin)
  const where = hostname.includes(address) ? `${host} is` : `${host} has the address ${address},`
  const message = `A public server redirected to ${origin}, but ${where} inside a private network, so it was not contacted. If that is intended, allow it with --allow-host ${hostname}.`
  return new DataferryError('SOURCE_REJECTED', message)
}

/** The reason of an aborted signal, as an error. */
export function abortError(signal: AbortSignal): Error {
  const reason: unknown = signal.reason
  return reason instanceof Error ? reason : new DataferryError('INTERRUPTED', 'The request was cancelled.')
}
