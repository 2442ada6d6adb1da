import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { JsonShape } from '../json/json-parts.ts'
import { fileElementSchema, type FileElement } from '../model/file-element.ts'
import type { Installation } from './installation.ts'
import { answerParts } from './answer-parts.ts'
import { checkData } from './json-call.ts'
import { pause, waitBeforeRetry, type RetryPolicy } from './retry.ts'
import { datasetRoute, encodePath, type Query, type Route } from './route.ts'

/** Files asked for at a time. */
const PAGE = 1000
/** Files that one version may have: several times as many as the largest known dataset. */
const MOST_FILES = 2_000_000
const ANSWER: JsonShape = { members: { data: { each: {} } } }

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
      const before = this.#seen.size
      const page = yield* this.#call(['limit', String(PAGE)], ['offset', String(offset)])
      if (page.total !== undefined && this.#seen.size >= page.total) return
      if (page.total === undefined && page.count !== PAGE) return
      // A short page is the last one; without a count a full page may be all there is, or not; one without anything new
      // would be followed by others like it.
      if (page.count < PAGE || page.total === undefined || this.#seen.size === before) break
    }
    const whole = yield* this.#call()
    if (whole.total !== undefined && whole.count < whole.total) throw this.#contradiction(whole.total, whole.count)
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
    const { host } = this.#installation
    const ids = new Set<number>()
    let envelope: z.infer<typeof envelopeSchema> = {}
    const request = { route: this.#route, query, signal: this.#signal }
    for await (const { kind, path, value } of answerParts(this.#installation, request, ANSWER)) {
      if (kind === 'list' || path === '') {
        envelope = envelopeSchema.parse(value)
        continue
      }
      const element = checkData(value, fileElementSchema, host, this.#route.what, 'SOURCE_MISLISTED')
      ids.add(element.dataFile.id)
      if (this.#isNew(element, ids.size, envelope.totalCount)) yield element
    }
    if (envelope.status === 'OK') return { count: ids.size, total: envelope.totalCount }
    const message = `${host} answered ${this.#route.what} with something that is not a file listing.`
    throw new DataferryError('SOURCE_UNEXPECTED', message)
  }

  /** Counts a file in. `count` are those of this answer. Throws when the server lists more than there can be. */
  #isNew({ dataFile: { id } }: FileElement, count: number, total: number | undefined): boolean {
    if (total !== undefined && count > total) throw this.#contradiction(total, `more`)
    if (this.#seen.has(id)) return false
    this.#seen.add(id)
    if (this.#seen.size > MOST_FILES) throw this.#contradiction(total, `more than ${MOST_FILES}`)
    return true
  }

  #contradiction(total: number | undefined, count: number | string): DataferryError {
    const { host } = this.#installation
    const said = total === undefined ? '' : `says that ${this.#route.what} has ${total} files, but `
    const message = `${host} ${said}lists ${count}${total === undefined ? ` files of ${this.#route.what}` : ''}.`
    return new DataferryError('SOURCE_MISLISTED', message)
  }
}

const envelopeSchema = z.looseObject({
  status: z.unknown().optional(),
  totalCount: z.number().int().nonnegative().optional().catch(undefined),
})

interface Page {
  /** Different files in it. */
  readonly count: number
  /** Files in the version, as the server counts them. */
  readonly total: number | undefined
}
