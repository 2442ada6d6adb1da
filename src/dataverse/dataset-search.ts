import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { JsonShape } from '../json/json-parts.ts'
import type { SearchScope } from '../model/mirror-source.ts'
import { answerParts } from './answer-parts.ts'
import { LONGEST_IDENTIFIER } from './identifier.ts'
import type { Installation } from './installation.ts'
import { checkData } from './json-call.ts'
import { pause } from '../async/pause.ts'
import { ONCE, waitBeforeRetry, type Patiently, type RetryPolicy } from './retry.ts'
import type { Query, Route } from './route.ts'

/** The scope of a search. */
export interface SearchOptions extends SearchScope {
  /** Whether to request also what is not in the index (`updatedAt`, the version's number), which costs the server more. */
  readonly details?: boolean
}

const item = z.looseObject({
  entity_id: z.number().int().positive(),
  global_id: z.string(),
  identifier_of_dataverse: z.string().nullish(),
  versionId: z.number().nullish(),
  versionState: z.string().nullish(),
  majorVersion: z.number().nullish(),
  minorVersion: z.number().nullish(),
  updatedAt: z.string().nullish(),
  fileCount: z.number().nullish(),
})
/** A dataset as the search describes it, with the names of the API. */
export type SearchItem = z.infer<typeof item>

const pageSchema = z.looseObject({
  status: z.literal('OK'),
  data: z.looseObject({
    total_count: z.number().int().nonnegative(),
    count_in_response: z.number().int().nonnegative(),
  }),
})
const ANSWER: JsonShape = { members: { data: { members: { items: { each: {} } } } } }

/** Datasets per page: fewer after each failure, as a server that gives up on a large page may manage a small one. */
const PAGE_SIZES = [1000, 250, 100] as const
/** Several times as many as the largest installation has. */
const MOST_DATASETS = 5_000_000

/**
 * Finds every released dataset of an installation or collection exactly once, in the order of its id, however the index
 * changes meanwhile: each page requests what comes after the last id. Harvested ones are left out unless asked for, as their
 * files are elsewhere, and so are drafts.
 *
 * Only a page that the server itself counts as empty is the end: an error, including the 400 of an overloaded index, is
 * retried and then thrown. Never sorts by date, which covers only major releases.
 * @see the mirroring note §1.1 and §7
 */
export class DatasetSearch {
  readonly #installation: Installation
  readonly #policy: RetryPolicy

  constructor(installation: Installation, policy: RetryPolicy) {
    this.#installation = installation
    this.#policy = policy
  }

  /**
   * A page at a time.
   * @param after only datasets with a larger id, to continue from there
   * @param patiently asks for a page again while it is worth waiting
   */
  async *pages(
    scope: SearchOptions,
    signal: AbortSignal,
    { after = 0, patiently = ONCE }: { readonly after?: number; readonly patiently?: Patiently } = {},
  ): AsyncGenerator<readonly SearchItem[], void> {
    const progress: Progress = { last: after, found: 0, step: 0 }
    for (;;) {
      const page = await patiently(() => this.#page(scope, progress, signal))
      if (page.length === 0) return
      progress.found += page.length
      if (progress.found > MOST_DATASETS) throw this.#unexpected(`lists more than ${MOST_DATASETS} datasets`)
      progress.last = page.at(-1)?.entity_id ?? progress.last
      yield page
    }
  }

  async #page(scope: SearchOptions, progress: Progress, signal: AbortSignal): Promise<readonly SearchItem[]> {
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#attempt(scope, progress.last, PAGE_SIZES[progress.step] ?? 100, signal)
      } catch (thrown) {
        const error = this.#judged(thrown, scope)
        const wait = waitBeforeRetry(error, failures, this.#policy)
        if (wait === undefined) throw this.#final(error, scope, progress.found > 0)
        progress.step = Math.min(progress.step + 1, PAGE_SIZES.length - 1)
        await pause(wait, signal)
      }
    }
  }

  async #attempt(
    scope: SearchOptions,
    after: number,
    size: number,
    signal: AbortSignal,
  ): Promise<readonly SearchItem[]> {
    const request = { route: ROUTE, query: queryOf(scope, after, size), signal }
    const found: SearchItem[] = []
    let rest: unknown
    for await (const { kind, path, value } of answerParts(this.#installation, request, ANSWER)) {
      if (kind === 'whole' && path !== '') found.push(checkData(value, item, this.#installation.host, ROUTE.what))
      else if (path === '') rest = value
    }
    const { data } = checkData(rest, pageSchema, this.#installation.host, ROUTE.what)
    if (data.count_in_response !== found.length || (found.length === 0 && data.total_count > 0)) {
      throw this.#unexpected(`counts ${data.total_count} datasets after the last one and lists ${found.length}`)
    }
    let last = after
    for (const { entity_id: id, global_id: pid } of found) {
      if (id <= last) throw this.#unexpected('does not filter and sort by id as it was asked')
      // A harvested one may be known by any name; of others, a PID of an unknown kind is the matter of that dataset alone.
      const isPid = pid.length <= LONGEST_IDENTIFIER && /[^\d\s]/.test(pid)
      if (!scope.harvested && !isPid) throw this.#unexpected('lists a dataset without a PID')
      last = id
    }
    return found
  }

  /** An overloaded index and a wrong query get the same answer, so both are retried. */
  #judged(error: unknown, { collection }: SearchOptions): unknown {
    if (!(error instanceof DataferryError) || error.status !== 400) return error
    if (/could not find dataverse with alias/i.test(error.message)) {
      const message = `${this.#installation.host} knows no collection ${collection ?? ''}: give the alias at the end of its URL.`
      return new DataferryError('SOURCE_NOT_FOUND', message, { cause: error, status: 400 })
    }
    if (!error.message.includes(SYNTAX)) return error
    return new DataferryError('SOURCE_FAILED', error.message, { cause: error, status: 400 })
  }

  /** @param accepted whether the server has answered this search before, so the search itself is right */
  #final(error: unknown, { query }: SearchOptions, accepted: boolean): unknown {
    const unclear = error instanceof DataferryError && error.message.includes(SYNTAX)
    if (!unclear || query === undefined || accepted) return error
    const message = `${error.message} Correct the search, or try later: an overloaded server gives the same answer.`
    return new DataferryError('SOURCE_REJECTED', message, { cause: error, status: 400 })
  }

  #unexpected(problem: string): DataferryError {
    return new DataferryError('SOURCE_UNEXPECTED', `${this.#installation.host} answered a search, but ${problem}.`)
  }
}

/** The progress of a search. */
interface Progress {
  last: number
  found: number
  /** Of `PAGE_SIZES`. */
  step: number
}

const ROUTE: Route = { path: 'search', query: [], what: 'a search for datasets' }
const SYNTAX = 'Search Syntax Error'

function queryOf(
  { collection, query, harvested = false, details = false }: SearchOptions,
  after: number,
  size: number,
): Query {
  return [
    ['q', query ?? '*'],
    ['type', 'dataset'],
    ...(collection === undefined ? [] : [['subtree', collection] as const]),
    ['fq', 'publicationStatus:Published'],
    ['fq', `isHarvested:${harvested}`],
    ['fq', `entityId:{${after} TO *]`],
    ['sort', 'entityId'],
    ['order', 'asc'],
    ['per_page', String(size)],
    ['show_entity_ids', 'true'],
    ...(details ? [] : [['query_entities', 'false'] as const]),
  ]
}
