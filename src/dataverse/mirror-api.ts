import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import type { JsonShape } from '../json/json-parts.ts'
import { joinedPid } from '../model/dataset-pid.ts'
import { filled } from '../model/file-element.ts'
import type { ListedFile, MislistedFile } from '../model/listing.ts'
import type {
  DatasetAnswer,
  FoundDataset,
  MetadataExport,
  MirrorSource,
  ReleasedVersion,
  SearchScope,
} from '../model/mirror-source.ts'
import { answerParts } from './answer-parts.ts'
import { tellCollection } from './collection-walk.ts'
import { pidPiecesSchema } from './dataset-element.ts'
import { DatasetSearch, type SearchItem } from './dataset-search.ts'
import { exportedVersion } from './exported-version.ts'
import { Installation } from './installation.ts'
import { checkData, JsonCalls } from './json-call.ts'
import { NativeApi, type NativeApiOptions } from './native-api.ts'
import { ONCE, retryPolicy, withRetries, type Patiently, type RetryPolicy } from './retry.ts'
import { datasetRoute, encodePath, type Query, type Route } from './route.ts'
import { deaccessioned } from './unseen.ts'

/** Versions asked for at a time. */
const PAGE = 100
/** Versions that a dataset may have. */
const MOST_VERSIONS = 100_000

const text = z
  .string()
  .nullish()
  .transform((value) => filled(value))
const versionSchema = z.looseObject({
  id: z.number().int(),
  versionState: z.string(),
  versionNumber: z.number().int().nullish(),
  versionMinorNumber: z.number().int().nullish(),
  lastUpdateTime: text,
  releaseTime: text,
  internalVersionNumber: z
    .number()
    .nullish()
    .transform((value) => value ?? undefined),
  guestbookId: z
    .number()
    .nullish()
    .transform((value) => value ?? undefined),
})
const VERSIONS: JsonShape = { members: { data: { each: { members: { files: { skip: true } } } } } }

interface Owner {
  readonly identifier?: string | number | null | undefined
  readonly isPartOf?: Owner | null | undefined
}
const ownerSchema: z.ZodType<Owner> = z.lazy(() =>
  z.looseObject({ identifier: z.union([z.string(), z.number()]).nullish(), isPartOf: ownerSchema.nullish() }),
)
const datasetSchema = z.looseObject({
  id: z.number().int().positive(),
  ...pidPiecesSchema.shape,
  latestVersion: z.unknown().optional(),
  isPartOf: ownerSchema.nullish(),
})
type DatasetElement = z.infer<typeof datasetSchema>
/** Listings of files come with the version, however many there are; that there is one is all that counts. */
const DATASET: JsonShape = { members: { data: { members: { latestVersion: { skip: true } } } } }

/** What a mirror asks a Dataverse installation. All calls try again on errors that pass. */
export class MirrorApi implements MirrorSource {
  readonly #installation: Installation
  readonly #policy: RetryPolicy
  readonly #calls: JsonCalls
  readonly #native: NativeApi

  constructor(options: NativeApiOptions) {
    this.#installation = new Installation(options)
    this.#policy = retryPolicy(options)
    this.#calls = new JsonCalls(this.#installation, this.#policy)
    this.#native = new NativeApi(options)
  }

  async *search(scope: SearchScope, after: number, signal: AbortSignal): AsyncGenerator<readonly FoundDataset[], void> {
    const search = new DatasetSearch(this.#installation, this.#policy)
    for await (const page of search.pages({ ...scope, details: !scope.harvested }, signal, { after }))
      yield page.map(foundDataset)
  }

  walk(
    collection: number | string,
    tell: (dataset: FoundDataset) => Promise<void>,
    signal: AbortSignal,
    patiently: Patiently = ONCE,
  ): Promise<void> {
    const walk = { installation: this.#installation, policy: this.#policy, signal, patiently }
    return tellCollection(collection, walk, tell)
  }

  async find(pid: string, signal: AbortSignal): Promise<FoundDataset | undefined> {
    const found = await this.#dataset(pid, [], signal).catch(unlessHidden)
    return typeof found === 'object' ? { id: found.id, pid: joinedPid(found) } : undefined
  }

  async indexed(dataset: number, signal: AbortSignal): Promise<boolean> {
    const route: Route = { path: 'search', query: [], what: `a search for dataset ${dataset}` }
    const query: Query = [
      ['q', '*'],
      ['type', 'dataset'],
      ['fq', 'publicationStatus:Published'],
      ['fq', 'isHarvested:false'],
      ['fq', `entityId:${dataset}`],
      ['per_page', '1'],
      ['query_entities', 'false'],
    ]
    const schema = z.looseObject({ total_count: z.number() })
    return (await this.#calls.get({ route, query, signal }, schema)).total_count > 0
  }

  async owners(collection: string, signal: AbortSignal): Promise<readonly string[]> {
    const what = `collection ${collection}`
    const route: Route = { path: `dataverses/${encodePath(collection)}`, query: [['returnOwners', 'true']], what }
    const schema = z.looseObject({ alias: z.string(), isPartOf: ownerSchema.nullish() })
    const { alias, isPartOf } = await this.#calls.get({ route, signal }, schema)
    return [alias, ...ownersOf(isPartOf)]
  }

  async versions(dataset: number, signal: AbortSignal): Promise<readonly ReleasedVersion[]> {
    const found = new Map<number, ReleasedVersion>()
    for (let offset = 0; offset < MOST_VERSIONS; offset += PAGE) {
      const page = await this.#versionPage(dataset, offset, signal)
      const before = found.size
      for (const version of page.released) found.set(version.id, version)
      // Servers before 6.1 know no pages and send everything at once.
      if (page.count !== PAGE || (offset > 0 && found.size === before)) return [...found.values()]
    }
    const message = `${this.#installation.host} lists more than ${MOST_VERSIONS} versions of dataset ${dataset}.`
    throw new DataferryError('SOURCE_MISLISTED', message)
  }

  files(dataset: number, version: string, signal: AbortSignal): AsyncIterable<ListedFile | MislistedFile> {
    return this.#native.files(dataset, version, signal)
  }

  async ask(dataset: number, signal: AbortSignal): Promise<DatasetAnswer> {
    const found = await this.#dataset(dataset, [['returnOwners', 'true']], signal).catch(unlessHidden)
    if (typeof found !== 'object') return { state: found }
    if (found.latestVersion !== undefined) {
      const versions = await this.versions(dataset, signal).catch(unlessHidden)
      // Who may see drafts is shown one where nothing is released. A list that is refused says nothing against what is shown.
      if (typeof versions === 'string' || versions.length > 0) {
        return { state: 'released', owners: ownersOf(found.isPartOf) }
      }
    }
    const { reason, link } = (await deaccessioned(this.#calls, dataset, ':latest', signal)) ?? {}
    return { state: 'deaccessioned', reason: filled(reason), forward: filled(link) }
  }

  async metadata(dataset: number, version: string, signal: AbortSignal): Promise<Uint8Array> {
    const route = datasetRoute(dataset, `/versions/${encodePath(version)}`)
    const data = await this.#calls.get({ route, query: [['excludeFiles', 'true']], signal }, z.looseObject({}))
    return Buffer.from(`${JSON.stringify(data, null, 2)}\n`)
  }

  async export(pid: string, exporter: string, signal: AbortSignal): Promise<MetadataExport | undefined> {
    const route: Route = { path: 'datasets/export', query: [], what: `the ${exporter} export of dataset ${pid}` }
    const query: Query = [
      ['exporter', exporter],
      ['persistentId', pid],
    ]
    try {
      const content = await this.#calls.text({ route, query, signal })
      return { bytes: Buffer.from(content), version: exportedVersion(exporter, content) }
    } catch (error) {
      // The server has not this form, or none yet, and says so with 400, 403 or 404 (mirroring note §3).
      const refused = error instanceof DataferryError && REFUSALS.includes(error.status ?? 0)
      if (refused && error.remedy === 'fail') return undefined
      throw error
    }
  }

  async setDefinition(set: string, signal: AbortSignal): Promise<string> {
    const path = `harvest/server/oaisets/${encodePath(set)}`
    const route: Route = { path, query: [], what: `the OAI set ${set}` }
    return (await this.#calls.get({ route, signal }, z.looseObject({ definition: z.string().min(1) }))).definition
  }

  async #versionPage(
    dataset: number,
    offset: number,
    signal: AbortSignal,
  ): Promise<{ readonly count: number; readonly released: readonly ReleasedVersion[] }> {
    const route = datasetRoute(dataset, '/versions')
    const query: Query = [
      ['excludeFiles', 'true'],
      ['excludeMetadataBlocks', 'true'],
      ['limit', String(PAGE)],
      ['offset', String(offset)],
    ]
    return withRetries(
      async () => {
        const released: ReleasedVersion[] = []
        let count = 0
        let isList = false
        for await (const { kind, path, value } of answerParts(this.#installation, { route, query, signal }, VERSIONS)) {
          if (kind === 'list') isList = true
          if (path !== 'data[]') continue
          count++
          const version = checkData(value, versionSchema, this.#installation.host, route.what, 'SOURCE_MISLISTED')
          if (version.versionState === 'RELEASED') released.push(releasedVersion(version))
        }
        if (isList) return { count, released }
        const message = `${this.#installation.host} answered ${route.what} with something that is not a list of versions.`
        throw new DataferryError('SOURCE_UNEXPECTED', message)
      },
      this.#policy,
      signal,
    )
  }

  async #dataset(dataset: number | string, query: Query, signal: AbortSignal): Promise<DatasetElement> {
    const route = datasetRoute(dataset)
    return withRetries(
      async () => {
        let whole: unknown
        for await (const part of answerParts(this.#installation, { route, query, signal }, DATASET)) whole = part.value
        const answer = checkData(whole, z.looseObject({ data: datasetSchema }), this.#installation.host, route.what)
        return answer.data
      },
      this.#policy,
      signal,
    )
  }
}

const REFUSALS: readonly number[] = [400, 403, 404]

function foundDataset(item: SearchItem): FoundDataset {
  const { entity_id: id, global_id: pid, identifier_of_dataverse: owner, versionId, updatedAt } = item
  const { majorVersion, minorVersion } = item
  return {
    id,
    pid,
    ...(typeof owner === 'string' && { owner }),
    ...(typeof versionId === 'number' && {
      seen: { versionId, number: numbered(majorVersion, minorVersion), updatedAt: updatedAt ?? undefined },
    }),
  }
}

function releasedVersion(version: z.infer<typeof versionSchema>): ReleasedVersion {
  const { id, versionNumber, versionMinorNumber, lastUpdateTime, releaseTime, internalVersionNumber, guestbookId } =
    version
  return {
    id,
    number: numbered(versionNumber, versionMinorNumber) ?? String(id),
    lastUpdateTime,
    releaseTime,
    counter: internalVersionNumber,
    guestbookId,
  }
}

function numbered(major: number | null | undefined, minor: number | null | undefined): string | undefined {
  return typeof major === 'number' ? `${major}.${minor ?? 0}` : undefined
}

/** Aliases of the collections that a dataset lies in, the nearest first. */
function ownersOf(owner: Owner | null | undefined): readonly string[] {
  const owners: string[] = []
  for (let at = owner; at; at = at.isPartOf)
    owners.push(...(at.identifier === null || at.identifier === undefined ? [] : [String(at.identifier)]))
  return owners
}

/** What it means that a dataset is not shown; throws everything else again. */
function unlessHidden(error: unknown): 'unknown' | 'denied' {
  if (error instanceof DataferryError && error.code === 'SOURCE_NOT_FOUND') return 'unknown'
  if (error instanceof DataferryError && error.code === 'SOURCE_DENIED') return 'denied'
  throw error
}
