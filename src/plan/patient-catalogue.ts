import { pause } from '../async/pause.ts'
import { DataferryError } from '../errors.ts'
import type { Catalogue, ListedFile, MislistedFile } from '../model/listing.ts'
import type { Wait } from '../model/notice.ts'

export interface Patience {
  /** What waits, as the beginning of a sentence: `Planning`. */
  readonly what: string
  /** Whether the server answers at all; never rejects. */
  readonly isUp: (signal: AbortSignal) => Promise<boolean>
  /** Where another token can be put while this process waits, and how often there was one. Absent, or without a place: nowhere. */
  readonly token?: { readonly place: string | undefined; readonly renew: () => number }
  /** Time to the first new look, and the longest; each is twice the one before. */
  readonly firstMs: number
  readonly maxMs: number
  /** After this long without an answer the error is passed on. */
  readonly giveUpAfterMs: number
  /** Is told of each wait, and undefined when the server answers again. */
  readonly onWait: (wait: Wait | undefined) => void
}

/** Failures in a row of one call while the server answers others. */
const TRIES = 4
/** Between two looks for another token, and so many of them before the present one is tried again. */
const TOKEN_LOOK_MS = 5_000
const TOKEN_LOOKS = 60

/**
 * A catalogue that waits while its server is away, however long, and continues where it stopped. An error that concerns one call
 * alone, since the server answers others, becomes `SOURCE_NOT_LISTED` after a few tries.
 */
export function patientCatalogue(catalogue: Catalogue, patience: Patience): Catalogue {
  const server: Heard = { hasAnswered: false }
  return {
    version: (dataset, selector, signal) =>
      patiently(() => catalogue.version(dataset, selector, signal), patience, signal, server),
    tellsCase: (signal) => patiently(() => catalogue.tellsCase(signal), patience, signal, server),
    file: (file, signal) => patiently(() => catalogue.file(file, signal), patience, signal, server),
    async *files(dataset, version, signal): AsyncGenerator<ListedFile | MislistedFile> {
      const waiting = new Waiting(patience, signal, server)
      const listed = new Set<number | string>()
      for (;;) {
        try {
          for await (const file of catalogue.files(dataset, version, signal)) {
            waiting.end()
            const key = 'mislisted' in file ? JSON.stringify(file) : file.id
            if (listed.has(key)) continue
            listed.add(key)
            yield file
          }
          return
        } catch (error) {
          await waiting.orThrow(error)
        }
      }
    },
  }
}

/** A token that a server refuses from the start is wrong; one that it accepted before has expired, and is waited for. */
interface Heard {
  hasAnswered: boolean
}

/** The same for one call. */
export async function patiently<T>(
  call: () => Promise<T>,
  patience: Patience,
  signal: AbortSignal,
  server: Heard = { hasAnswered: false },
): Promise<T> {
  const waiting = new Waiting(patience, signal, server)
  for (;;) {
    try {
      const result = await call()
      waiting.end()
      return result
    } catch (error) {
      await waiting.orThrow(error)
    }
  }
}

/** The waits of one call. */
class Waiting {
  readonly #patience: Patience
  readonly #signal: AbortSignal
  readonly #server: Heard
  #failures = 0
  #looks = 0
  /** For people, and by a clock that nobody can set. */
  #since: { readonly date: Date; readonly at: number } | undefined

  constructor(patience: Patience, signal: AbortSignal, server: Heard) {
    this.#server = server
    this.#patience = patience
    this.#signal = signal
  }

  end(): void {
    this.#server.hasAnswered = true
    if (this.#since) this.#patience.onWait(undefined)
    this.#since = undefined
    this.#looks = 0
    this.#failures = 0
  }

  /** Waits until the call may be retried, or rejects with the error that ended it. */
  async orThrow(error: unknown): Promise<void> {
    if (error instanceof DataferryError && error.code === 'TOKEN_REJECTED') return this.#forToken(error)
    if (!(error instanceof DataferryError) || !passes(error)) throw error
    if (error.remedy !== 'throttle' && (await this.#patience.isUp(this.#signal)) && ++this.#failures >= TRIES) {
      throw new DataferryError('SOURCE_NOT_LISTED', error.message, { cause: error })
    }
    this.#signal.throwIfAborted()
    const { firstMs, maxMs } = this.#patience
    const ms = Math.max(error.retryAfterMs ?? 0, Math.min(maxMs, firstMs * 2 ** Math.min(this.#looks, 20)))
    this.#looks += 1
    await this.#pause(ms, error.message, error)
  }

  /** Waits until there is another token, or a server may have thought better of it. */
  async #forToken(error: DataferryError): Promise<void> {
    const { place, renew } = this.#patience.token ?? {}
    if (place === undefined || renew === undefined || !this.#server.hasAnswered) throw error
    const revision = renew()
    // Another one may have come just now: the first time the call is made again at once.
    const most = this.#looks++ === 0 ? 1 : TOKEN_LOOKS
    for (let looks = 0; looks < most && renew() === revision; looks++) {
      await this.#pause(TOKEN_LOOK_MS, `${error.message} Put a new one into ${place}.`, error)
    }
  }

  async #pause(ms: number, reason: string, error: DataferryError): Promise<void> {
    this.#since ??= { date: new Date(), at: performance.now() }
    const waited = performance.now() - this.#since.at
    const { what, giveUpAfterMs, onWait } = this.#patience
    if (waited + ms > giveUpAfterMs) throw error
    onWait({ what, reason, since: this.#since.date, nextLook: new Date(Date.now() + ms) })
    await pause(ms, this.#signal)
  }
}

function passes({ remedy, code }: DataferryError): boolean {
  // The connection may break in the middle of an answer as well.
  const isServers = code.startsWith('SOURCE_') || code === 'SHORT_BODY'
  return isServers && (remedy === 'retry' || remedy === 'throttle')
}
