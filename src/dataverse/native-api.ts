import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { joinedPid } from '../model/dataset-pid.ts'
import { listedFile, servedElementSchema } from '../model/file-element.ts'
import type { Catalogue, ListedFile, ListedVersion, MislistedFile } from '../model/listing.ts'
import { walkCollection } from './collection-walk.ts'
import type { FoundDataset, SearchScope } from '../model/mirror-source.ts'
import { DatasetSearch } from './dataset-search.ts'
import { envelopeMessage } from './envelope.ts'
import { parseIdentifier } from './identifier.ts'
import { pidPiecesSchema } from './dataset-element.ts'
import { Installation, type InstallationOptions } from './installation.ts'
import { JsonCalls } from './json-call.ts'
import { Listing } from './listing.ts'
import { ONCE, retryPolicy, type RetryPolicy } from './retry.ts'
import { datasetRoute, encodePath, fileInfoRoute, type Query, type Route } from './route.ts'
import { shownFile, whyUnseen } from './unseen.ts'
import { listedVersion, versionElementSchema, type VersionElement } from './version-element.ts'

/** Options of `NativeApi`. */
export interface NativeApiOptions extends InstallationOptions {
  /** Retries for calls that only read. Default 3. */
  readonly retries?: number | undefined
  /** Milliseconds before the first try after a 429 without Retry-After. Default 60 000. */
  readonly throttleMs?: number | undefined
  /** Milliseconds before the first retry after any other error that passes. Default 500; doubled each time. */
  readonly retryMs?: number | undefined
  /** The clock used for embargoes. */
  readonly now?: (() => Date) | undefined
}

const userSchema = z.looseObject({
  identifier: z.string(),
  displayName: z.string().nullish(),
  email: z.string().nullish(),
  superuser: z.boolean().nullish(),
})
/**
 * The user a token belongs to: `identifier` is `@name`.
 */
export interface TokenUser extends z.infer<typeof userSchema> {
  /** Newer servers send more. */
  readonly [more: string]: unknown
}

/**
 * The metadata calls that planning needs. All of them retry transient errors, and reject with `SOURCE_…` and
 * `TOKEN_REJECTED` codes.
 */
export class NativeApi implements Catalogue {
  readonly #installation: Installation
  readonly #policy: RetryPolicy
  readonly #calls: JsonCalls
  readonly #now: () => Date

  constructor({ now, ...options }: NativeApiOptions) {
    this.#installation = new Installation(options)
    this.#policy = retryPolicy(options)
    this.#calls = new JsonCalls(this.#installation, this.#policy)
    this.#now = now ?? (() => new Date())
  }

  async version(dataset: number | string, selector: string, signal: AbortSignal): Promise<ListedVersion> {
    const route = datasetRoute(dataset, `/versions/${encodePath(selector)}`)
    const request = { route, query: [['excludeFiles', 'true'] as const], signal }
    const element = await this.#calls.get(request, versionElementSchema).catch(async (error: unknown) => {
      throw await whyUnseen(this.#calls, dataset, selector, error, signal)
    })
    return this.#pinned(element, dataset, route, signal)
  }

  files(
    dataset: number | string,
    version: string,
    signal: AbortSignal,
  ): AsyncGenerator<ListedFile | MislistedFile, void> {
    return new Listing(this.#installation, this.#policy, dataset, version, this.#today(), signal).files()
  }

  async file(file: number | string, signal: AbortSignal): Promise<ListedFile & { readonly in: ListedVersion }> {
    const route = fileInfoRoute(file)
    const element = await shownFile(file, (...more) =>
      this.#calls.get({ route, query: [['returnDatasetVersion', 'true'], ...more], signal }, withVersionSchema),
    )
    const listed = listedFile(element, this.#today())
    const version = element.datasetVersion && listedVersion(element.datasetVersion, undefined)
    return { ...listed, in: version ?? (await this.#searchedVersion(listed.id, route, signal)) }
  }

  /**
   * PIDs of all released datasets of this installation's own that a search finds, a page at a time.
   * @param patiently asks for a page again while it is worth waiting; by default it is not
   */
  async *search(
    scope: SearchScope,
    signal: AbortSignal,
    patiently: <T>(call: () => Promise<T>) => Promise<T> = ONCE,
  ): AsyncGenerator<readonly string[], void> {
    const search = new DatasetSearch(this.#installation, this.#policy)
    for await (const page of search.pages(scope, signal, { patiently })) yield page.map(({ global_id: pid }) => pid)
  }

  /** All datasets in a collection, by its id or alias, and in the collections in it. `patiently` as in `search`. */
  walk(
    collection: number | string,
    signal: AbortSignal,
    patiently: <T>(call: () => Promise<T>) => Promise<T> = ONCE,
  ): AsyncGenerator<FoundDataset, void> {
    return walkCollection(collection, { installation: this.#installation, policy: this.#policy, signal, patiently })
  }

  /** `6.11`, as the server reports it. */
  async serverVersion(signal?: AbortSignal): Promise<string> {
    const route = infoRoute('info/version', 'its version')
    return (await this.#calls.get({ route, signal }, z.looseObject({ version: z.string() }))).version
  }

  /** DOIs are compared without case since 6.5; see the protocol note §12. A server that does not say counts as a newer one. */
  async tellsCase(signal: AbortSignal): Promise<boolean> {
    const [major = 0, minor = 0] = (await this.serverVersion(signal)).split('.').map(Number)
    return major < 6 || (major === 6 && minor < 5)
  }

  /** Bytes that one ZIP may hold; undefined where the server (before 6.1) does not say. */
  async zipDownloadLimit(signal?: AbortSignal): Promise<number | undefined> {
    const route = infoRoute('info/zipDownloadLimit', 'its ZIP limit')
    const limit = z.union([
      z.number(),
      z.looseObject({ message: z.coerce.number() }).transform(({ message }) => message),
    ])
    return this.#calls.find({ route, signal }, limit, () => true)
  }

  /**
   * The user the token belongs to; undefined for the token of a preview URL, which shows one unpublished dataset and
   * belongs to no account. Rejects with `TOKEN_REJECTED` when the server does not accept it, and with `ARGUMENT_INVALID`
   * when this client has none.
   */
  async tokenUser(signal?: AbortSignal): Promise<TokenUser | undefined> {
    if (!this.#installation.hasToken) {
      throw new DataferryError('ARGUMENT_INVALID', `No token is set for ${this.#installation.host}.`)
    }
    const route = infoRoute('users/:me', 'the user of the token')
    return this.#calls.get({ route, signal }, userSchema).catch((error: unknown) => {
      // An unknown token is refused before the user is looked up.
      if (error instanceof DataferryError && error.status === 400 && NO_ACCOUNT.test(error.message)) return undefined
      throw error
    })
  }

  /** When the token expires, as precisely as a day; undefined where the server does not say. Rejects as `tokenUser`. */
  async tokenExpiry(signal?: AbortSignal): Promise<Date | undefined> {
    const route = infoRoute('users/token', 'the expiry of the token')
    const said = envelopeMessage(await this.#calls.envelope({ route, signal }))
    // Server-local, without a zone.
    const [, day] = /expires on (\d{4}-\d{2}-\d{2})/.exec(said ?? '') ?? []
    return day === undefined ? undefined : new Date(`${day}T00:00:00Z`)
  }

  /** Closes the connections, unless they were passed in. */
  async close(): Promise<void> {
    await this.#installation.close()
  }

  #today(): string {
    return this.#now().toISOString().slice(0, 10)
  }

  async #pinned(
    element: VersionElement,
    dataset: number | string,
    route: Route,
    signal: AbortSignal,
  ): Promise<ListedVersion> {
    const known = parseIdentifier(dataset)
    const pid = known.kind === 'pid' ? known.pid : undefined
    const version = listedVersion(element, pid) ?? listedVersion(element, await this.#datasetPid(dataset, signal))
    if (version) return version
    const message = `${this.#installation.host} describes ${route.what} without a version number or a PID.`
    throw new DataferryError('SOURCE_UNEXPECTED', message)
  }

  /** Old servers name the dataset of a version only here, in pieces. */
  async #datasetPid(dataset: number | string, signal: AbortSignal): Promise<string> {
    return joinedPid(await this.#calls.get({ route: datasetRoute(dataset), signal }, pidPiecesSchema))
  }

  /** Servers that do not say which version a file was found in (5.x) know its dataset from the search index. */
  async #searchedVersion(id: number, route: Route, signal: AbortSignal): Promise<ListedVersion> {
    const query: Query = [
      ['q', `entityId:${id}`],
      ['type', 'file'],
    ]
    const { items } = await this.#calls.get({ route: infoRoute('search', route.what), query, signal }, foundSchema)
    const dataset = items.find(({ file_id }) => String(file_id) === String(id))?.dataset_persistent_id
    if (dataset) return this.version(dataset, ':latest', signal)
    const message = `${this.#installation.host} does not say which dataset ${route.what} belongs to: name the dataset instead.`
    throw new DataferryError('SOURCE_UNEXPECTED', message)
  }
}

/** What a server says about an accepted token without an account: that of a preview URL (protocol note §12). */
const NO_ACCOUNT = /user with token .{1,300} not found/i

const withVersionSchema = servedElementSchema.extend({ datasetVersion: versionElementSchema.nullish() })
const foundSchema = z.looseObject({
  items: z.array(
    z.looseObject({
      file_id: z.union([z.string(), z.number()]).nullish(),
      dataset_persistent_id: z.string().nullish(),
    }),
  ),
})

function infoRoute(path: string, what: string): Route {
  return { path, query: [], what }
}
