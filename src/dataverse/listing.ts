import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { fileElementSchema, type FileElement } from '../model/file-element.ts'
import type { Answer, Installation } from './installation.ts'
import { jsonElements } from './json-elements.ts'
import { checkData } from './json-call.ts'
import { pause, waitBeforeRetry, type RetryPolicy } from './retry.ts'
import { datasetRoute, encodePath, type Query, type Route } from './route.ts'

/** Files asked for at a time. */
const PAGE = 1000

/**
 * Every file of one dataset version exactly once, a page at a time.
 *
 * Pages of the server are not stable: it sorts by label alone, so equal names may repeat or vanish from page to page.
 * Files are told apart by id; when fewer come than `totalCount` says, the whole list is fetched in one call, and what had
 * not come before follows. Servers before 6.1 know no pages and send everything at once; those before 6.2 count nothing,
 * so after a full page only the whole list can tell what is missing. An answer is read as it arrives and never held.
 * @see the protocol note §6.1
 */
export class Listing {
  readonly #installation: Installation
  readonly #policy: RetryPolicy
  readonly #route: Route
  readonly #signal: AbortSignal
  readonly #seen = new Set<number>()

  constructor(
    installation: Installation,
    policy: RetryPolicy,
    dataset: number | string,
    version: string,
    signal: AbortSignal,
  ) {
    this.#installation = installation
    this.#policy = policy
    this.#route = datasetRoute(dataset, `/versions/${encodePath(version)}/files`)
    this.#signal = signal
  }

  async *files(): AsyncGenerator<FileElement, void, undefined> {
    for (let offset = 0; ; offset += PAGE) {
      const page = yield* this.#call(['limit', String(PAGE)], ['offset', String(offset)])
      if (page.total !== undefined && this.#seen.size >= page.total) return
      if (page.total === undefined && page.count !== PAGE) return
      // A short page is the last one; without a count a full page may be all there is, or not.
      if (page.count < PAGE || page.total === undefined) break
    }
    const whole = yield* this.#call()
    if (whole.total !== undefined && whole.count < whole.total) {
      const { host } = this.#installation
      const message = `${host} says that ${this.#route.what} has ${whole.total} files, but lists ${whole.count}.`
      throw new DataferryError('SOURCE_UNEXPECTED', message)
    }
  }

  /** One call, tried again when it breaks: what had come before is known by its id. */
  async *#call(...query: Query): AsyncGenerator<FileElement, Page, undefined> {
    for (let failures = 1; ; failures += 1) {
      try {
        return yield* this.#attempt(query)
      } catch (error) {
        const wait = waitBeforeRetry(error, failures, this.#policy)
        if (wait === undefined) throw error
        await pause(wait, this.#signal)
      }
    }
  }

  async *#attempt(query: Query): AsyncGenerator<FileElement, Page, undefined> {
    const answer = await this.#installation.send({ route: this.#route, query, signal: this.#signal })
    if (answer.status !== 200) throw await this.#installation.failure(answer)
    let total: number | undefined
    let status: unknown
    const ids = new Set<number>()
    for await (const { key, value } of this.#parts(answer)) {
      if (key === 'totalCount') total = z.number().int().nonnegative().safeParse(value).data
      if (key === 'status') status = value
      if (key !== 'data') continue
      const element = checkData(value, fileElementSchema, answer.host, this.#route.what)
      const { id } = element.dataFile
      ids.add(id)
      if (this.#seen.has(id)) continue
      this.#seen.add(id)
      yield element
    }
    if (status === 'OK') return { count: ids.size, total }
    const message = `${answer.host} answered ${this.#route.what} with something that is not a file listing.`
    throw new DataferryError('SOURCE_UNEXPECTED', message)
  }

  #parts(answer: Answer): ReturnType<typeof jsonElements> {
    return jsonElements(answer.body.batches())
  }
}

interface Page {
  /** Different files in it. */
  readonly count: number
  /** Files in the version, as the server counts them. */
  readonly total: number | undefined
}
