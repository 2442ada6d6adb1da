import { pause } from '../async/pause.ts'
import { DataferryError } from '../errors.ts'
import type { Catalogue, ListedFile, MislistedFile } from '../model/listing.ts'
import type { Wait } from '../model/notice.ts'

export interface Patience {
  /** What waits, as the beginning of a sentence: `Planning`. */
  readonly what: string
  /** Whether the server answers at all; never rejects. */
  readonly isUp: (signal: AbortSignal) => Promise<boolean>
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

/**
 * A catalogue that waits while its server is away, however long, and continues where it stopped. An error that concerns one call
 * alone, since the server answers others, becomes `SOURCE_NOT_LISTED` after a few tries.
 */
export function patientCatalogue(catalogue: Catalogue, patience: Patience): Catalogue {
  return {
    version: (dataset, selector, signal) =>
      patiently(() => catalogue.version(dataset, selector, signal), patience, signal),
    tellsCase: (signal) => patiently(() => catalogue.tellsCase(signal), patience, signal),
    file: (file, signal) => patiently(() => catalogue.file(file, signal), patience, signal),
    async *files(dataset, version, signal): AsyncGenerator<ListedFile | MislistedFile> {
      const waiting = new Waiting(patience, signal)
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

/** The same for one call. */
export async function patiently<T>(call: () => Promise<T>, patience: Patience, signal: AbortSignal): Promise<T> {
  const waiting = new Waiting(patience, signal)
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
  #failures = 0
  #looks = 0
  /** For people, and by a clock that nobody can set. */
  #since: { readonly date: Date; readonly at: number } | undefined

  constructor(patience: Patience, signal: AbortSignal) {
    this.#patience = patience
    this.#signal = signal
  }

  end(): void {
    if (this.#since) this.#patience.onWait(undefined)
    this.#since = undefined
    this.#looks = 0
    this.#failures = 0
  }

  /** Waits until the call may be retried, or rejects with the error that ended it. */
  async orThrow(error: unknown): Promise<void> {
    if (!(error instanceof DataferryError) || !passes(error)) throw error
    if (error.remedy !== 'throttle' && (await this.#patience.isUp(this.#signal)) && ++this.#failures >= TRIES) {
      throw new DataferryError('SOURCE_NOT_LISTED', error.message, { cause: error })
    }
    this.#signal.throwIfAborted()
    this.#since ??= { date: new Date(), at: performance.now() }
    const waited = performance.now() - this.#since.at
    const { what, firstMs, maxMs, giveUpAfterMs, onWait } = this.#patience
    const ms = Math.max(error.retryAfterMs ?? 0, Math.min(maxMs, firstMs * 2 ** Math.min(this.#looks, 20)))
    if (waited + ms > giveUpAfterMs) throw error
    this.#looks += 1
    onWait({ what, reason: error.message, since: this.#since.date, nextLook: new Date(Date.now() + ms) })
    await pause(ms, this.#signal)
  }
}

function passes({ remedy, code }: DataferryError): boolean {
  return code.startsWith('SOURCE_') && (remedy === 'retry' || remedy === 'throttle')
}
