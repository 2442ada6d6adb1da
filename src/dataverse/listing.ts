import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { JsonShape } from '../json/json-parts.ts'
import { listedFile, mislistedFile, servedElementSchema } from '../model/file-element.ts'
import type { ListedFile, MislistedFile } from '../model/listing.ts'
import type { Installation } from './installation.ts'
import { answerParts } from './answer-parts.ts'
import { pause } from '../async/pause.ts'
import { waitBeforeRetry, type RetryPolicy } from './retry.ts'
import { datasetRoute, encodePath, type Query, type Route } from './route.ts'

/** Files per page. */
const PAGE = 1000
/** Most files in one version: several times as many as the largest known dataset. */
const MOST_FILES = 2_000_000
/** Entries of an answer that may be none: with more it is no listing. */
const MOST_MISLISTED = 10_000
const ANSWER: JsonShape = { members: { data: { each: {} } } }

type Listed = ListedFile | MislistedFile

/**
 * Every file of one dataset version exactly once, a page at a time.
 *
 * The server's pages are not stable: it sorts by label alone, so equal names may repeat or vanish from page to page.
 * Files are identified by id; when fewer come than `totalCount` says, the whole list is fetched in one call, and those that had
 * not come before follow. An entry that cannot be a file is told as one, so that it costs nothing but itself. Servers before 6.1 know no pages and send everything at once; those before 6.2 count nothing,
 * so after a full page only the whole list can tell what is missing. An answer is read as it arrives and never held.
 * @see the protocol note §6.1
 */
export class Listing {
  readonly #installation: Installation
  readonly #policy: RetryPolicy
  readonly #route: Route
  readonly #signal: AbortSignal
  /** The day that embargo and retention are judged by. */
  readonly #today: string
  /** Ids; what stands for one where there is none. */
  readonly #seen = new Set<number | string>()

  constructor(
    installation: Installation,
    policy: RetryPolicy,
    dataset: number | string,
    version: string,
    today: string,
    signal: AbortSignal,
  ) {
    this.#today = today
    this.#installation = installation
    this.#policy = policy
    this.#route = datasetRoute(dataset, `/versions/${encodePath(version)}/files`)
    this.#signal = signal
  }

  async *files(): AsyncGenerator<Listed, void, undefined> {
    for (let offset = 0; ; offset += PAGE) {
      const before = this.#seen.size
      const page = yield* this.#call(['limit', String(PAGE)], ['offset', String(offset)])
      if (page.total !== undefined && this.#seen.size >= page.total) return
      if (page.total === undefined && page.count !== PAGE) return
      // A short page is the last one; without a count a full page may or may not be all; one without anything new
      // would be followed by others like it.
      if (page.count < PAGE || page.total === undefined || this.#seen.size === before) break
    }
    const whole = yield* this.#call()
    if (whole.total !== undefined && whole.count < whole.total) throw this.#contradiction(whole.total, whole.count)
  }

  /** One call, retried when it breaks: files that had come before are known by their ids. */
  async *#call(...query: Query): AsyncGenerator<Listed, Page, undefined> {
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

  async *#attempt(query: Query): AsyncGenerator<Listed, Page, undefined> {
    const { host } = this.#installation
    const keys = new Set<number | string>()
    let [elements, mislisted] = [0, 0]
    let envelope: z.infer<typeof envelopeSchema> = {}
    const request = { route: this.#route, query, signal: this.#signal }
    for await (const { kind, path, value } of answerParts(this.#installation, request, ANSWER)) {
      if (kind === 'list' || path === '') {
        envelope = envelopeSchema.safeParse(value).data ?? {}
        continue
      }
      const listed = this.#listed(value)
      const key = 'mislisted' in listed ? JSON.stringify(listed) : listed.id
      keys.add(key)
      elements += 1
      if ('mislisted' in listed) {
        mislisted += 1
        if (mislisted > MOST_MISLISTED) throw new DataferryError('SOURCE_MISLISTED', listed.mislisted)
      }
      if (elements > MOST_FILES) throw this.#contradiction(envelope.totalCount, `more than ${MOST_FILES}`)
      if (this.#isNew(key, keys.size, envelope.totalCount)) yield listed
    }
    if (envelope.status === 'OK') return { count: keys.size, total: envelope.totalCount }
    const message = `${host} answered ${this.#route.what} with something that is not a file listing.`
    throw new DataferryError('SOURCE_UNEXPECTED', message)
  }

  #listed(value: unknown): Listed {
    const element = servedElementSchema.safeParse(value)
    if (element.success) return listedFile(element.data, this.#today)
    const [issue] = element.error.issues
    const problem = `${issue?.path.join('.') || 'the entry'}: ${issue?.message ?? 'not understood'}`
    return mislistedFile(value, `${this.#installation.host}, in ${this.#route.what},`, problem)
  }

  /** Counts a file in. `count` are those of this answer. Throws when the server lists more files than it can have. */
  #isNew(key: number | string, count: number, total: number | undefined): boolean {
    if (total !== undefined && count > total) throw this.#contradiction(total, `more`)
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
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
