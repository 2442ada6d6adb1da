import { curates, hasRole, latestReleased } from '../access.ts'
import { flag, integer } from '../call.ts'
import type { Context, Visit } from '../context.ts'
import { publishedChecksum } from '../datafile.ts'
import { failure, ok, Refusal, unknownRoute } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { filterOf, idsAbove, orderBy, SolrError, type SolrDocument } from '../solr.ts'
import { draftOf, LONG_AGO } from '../world.ts'
import type { Collection, Dataset, FileMeta, Version } from '../world.ts'
import { metasOf } from './datasets.ts'

const MOST_PER_PAGE = 1000
const TYPES = ['dataverse', 'dataset', 'file']
/** Names for fields that people sort by, and the direction that each has unless told. */
const SORT_NAMES: Readonly<Record<string, string>> = { relevance: 'score', name: 'nameSort', date: 'dateSort' }
const DESCENDING = ['score', 'dateSort']

/**
 * `GET /api/search`: collections, and datasets and files of released versions; for curators also of drafts, as entries of
 * their own. Rejected queries are 400 "Search Syntax Error", and so is an overloaded index.
 * @see the mirroring note §1.1; Search.java and SolrSearchServiceBean.java of IQSS/dataverse
 */
export async function search(visit: Visit, context: Context): Promise<Reply> {
  const { call } = visit
  if (context.settings.searchNeedsToken && !visit.user)
    throw new Refusal(
      failure(401, 'Please provide a key query parameter (?key=XXX) or via the HTTP header X-Dataverse-key'),
    )
  refuseIfBroken(context)
  const q = call.query.get('q')
  if (q === null) throw new Refusal(failure(400, 'q parameter is missing'))
  const perPage = rows(visit)
  const start = integer(call.query.get('start')) ?? 0
  if (start === 'bad') throw unknownRoute(call)
  const found = matches(visit, q, context)
  const items = await Promise.all(found.slice(start, start + perPage).map((hit) => hit.item()))
  return ok({ q, total_count: found.length, start, spelling_alternatives: {}, items, count_in_response: items.length })
}

function refuseIfBroken({ settings: { searchFails } }: Context): void {
  if (searchFails === 'overloaded') throw badRequest('Search Syntax Error: Error from server: Service Unavailable')
  if (searchFails === 'away') throw new Refusal(failure(500, 'Exception running search: the index is away'))
}

function rows({ call }: Visit): number {
  const asked = integer(call.query.get('per_page')) ?? 0
  if (asked === 'bad') throw unknownRoute(call)
  if (asked < 0) throw badRequest(`${asked} results per page requested but can not be less than zero.`)
  if (asked > MOST_PER_PAGE) throw badRequest(`${asked} results per page requested but max limit is ${MOST_PER_PAGE}.`)
  return asked === 0 ? 10 : asked
}

function badRequest(message: string): Refusal {
  return new Refusal(failure(400, message))
}

/** An entry of the index, and what is made of it with the database. */
interface Hit {
  readonly document: SolrDocument
  readonly item: () => unknown
}

function matches(visit: Visit, q: string, context: Context): readonly Hit[] {
  const { query } = visit.call
  for (const type of query.getAll('type'))
    if (!TYPES.includes(type)) throw badRequest(`Invalid type '${type}'. Must be one of [${TYPES.join(', ')}]`)
  const sort = query.get('sort') ?? 'relevance'
  const field = SORT_NAMES[sort] ?? sort
  const order = query.get('order') ?? (DESCENDING.includes(field) ? 'desc' : 'asc')
  if (!['asc', 'desc'].includes(order)) {
    throw badRequest(
      `The 'order' parameter was '${order}' but expected one of [desc, asc]. (The 'sort' parameter was/became '${field}'.)`,
    )
  }
  try {
    const filters = query.getAll('fq').map(filterOf)
    const found = hits(visit, subtrees(query.getAll('subtree'), context), context).filter(({ document }) =>
      [asked(q), ...filters].every((holds) => holds(document)),
    )
    const compare = orderBy(field, order === 'desc')
    return found.sort((a, b) => compare(a.document, b.document))
  } catch (error) {
    if (!(error instanceof SolrError)) throw error
    throw badRequest(
      `Search Syntax Error: Error from server at http://localhost:8983/solr/collection1: ${error.message}`,
    )
  }
}

/** `*`, a field query, several of these in parentheses with AND between, or words that a name or PID must hold. */
function asked(q: string): (document: SolrDocument) => boolean {
  if (q === '*') return () => true
  const parts = /^\((.+)\) AND \((.+)\)$/.exec(q)
  if (parts) {
    const both = [asked(parts[1] ?? ''), asked(parts[2] ?? '')]
    return (document) => both.every((holds) => holds(document))
  }
  if (/^\w+:\([\w ]+\)$/.test(q)) return filterOf(q)
  if (/^\w+:(?!")\S+$/.test(q)) return filterOf(q)
  const wanted = q
    .replace(/^\w+:(?=")/, '')
    .replaceAll('"', '')
    .toLowerCase()
  return ({ name, identifier }) => [name, identifier].some((text) => String(text).toLowerCase().includes(wanted))
}

/** The root is no limit, and the real server drops it even where it stands beside others. */
function subtrees(aliases: readonly string[], { world }: Context): readonly Collection[] {
  return aliases.flatMap((alias) => {
    const found = world.collections.get(alias)
    if (!found) throw badRequest(`Could not find dataverse with alias ${alias}`)
    return found.parent === undefined ? [] : [found]
  })
}

function hits(visit: Visit, roots: readonly Collection[], context: Context): Hit[] {
  const types = visit.call.query.getAll('type')
  const has = (type: string): boolean => types.length === 0 || types.includes(type)
  const found: Hit[] = []
  // What the filter leaves out in any case need not be made: a sweep asks for page after page of very many.
  const above = Math.max(-1, ...visit.call.query.getAll('fq').map(idsAbove))
  for (const collection of context.world.collections.values())
    if (has('dataverse') && collection.parent && within(collection.parent, roots)) found.push(collectionHit(collection))
  for (const dataset of context.world.indexed) {
    if (!has('file') && dataset.id <= above) continue
    const homes = [dataset.collection, ...dataset.linkedTo.map((alias) => context.world.collections.get(alias))]
    if (!homes.some((home) => home && within(home, roots))) continue
    for (const entry of entriesOf(dataset, visit)) {
      if (has('dataset')) found.push(datasetHit(dataset, entry, visit, context))
      if (!has('file') || entry.status === 'Deaccessioned') continue
      for (const meta of metasOf(entry.version)) found.push(fileHit(meta, dataset, entry, visit, context))
    }
  }
  return found
}

function within(collection: Collection, roots: readonly Collection[]): boolean {
  if (roots.length === 0) return true
  for (let at: Collection | undefined = collection; at; at = at.parent) if (roots.includes(at)) return true
  return false
}

/** A version of a dataset that the index has an entry of. */
interface IndexEntry {
  readonly version: Version
  readonly status: 'Published' | 'Draft' | 'Deaccessioned'
}

/** For guests the newest released version alone: a dataset that was deaccessioned as a whole is gone like a destroyed one. */
function entriesOf(dataset: Dataset, { user }: Visit): readonly IndexEntry[] {
  const released = latestReleased(dataset)
  const entries: IndexEntry[] = released ? [{ version: released, status: 'Published' }] : []
  if (!curates(user, dataset)) return entries
  const draft = draftOf(dataset)
  const gone = dataset.versions.findLast(({ state }) => state === 'DEACCESSIONED')
  if (!released && gone) entries.push({ version: gone, status: 'Deaccessioned' })
  return draft ? [...entries, { version: draft, status: 'Draft' }] : entries
}

function collectionHit({ id, title, alias, parent }: Collection): Hit {
  return {
    document: documentOf('dataverses', id, title, alias, parent?.id, 'Published'),
    item: () => ({ name: title, type: 'dataverse', url: `/dataverse/${alias}`, identifier: alias }),
  }
}

function datasetHit(dataset: Dataset, entry: IndexEntry, visit: Visit, context: Context): Hit {
  const { id, title, pid, collection, harvested } = dataset
  return {
    document: { ...documentOf('datasets', id, title, pid, collection.id, entry.status), isHarvested: harvested },
    item: () => datasetItem(dataset, entry, visit, context),
  }
}

function fileHit(meta: FileMeta, dataset: Dataset, entry: IndexEntry, visit: Visit, context: Context): Hit {
  const { file, label } = meta
  const document = documentOf('files', file.id, label, file.spec.pid ?? String(file.id), dataset.id, entry.status)
  return {
    document: { ...document, isHarvested: dataset.harvested },
    item: () => fileItem(meta, dataset, visit, context),
  }
}

function documentOf(
  type: string,
  id: number,
  name: string,
  identifier: string,
  parentId: number | undefined,
  status: string,
): SolrDocument {
  return {
    dvObjectType: type,
    entityId: id,
    name,
    nameSort: name,
    identifier,
    ...(parentId !== undefined && { parentId }),
    publicationStatus: [status, ...(status === 'Draft' ? ['Unpublished'] : [])],
    isHarvested: false,
    dateSort: LONG_AGO,
    score: 1,
  }
}

/** Half of it is what the index has, the other half is read from the database, as far as there is anything. */
function datasetItem(
  dataset: Dataset,
  { version, status }: IndexEntry,
  { call, user }: Visit,
  context: Context,
): unknown {
  const live = context.world.datasets.get(dataset.id)
  const row = live?.versions.find(({ id }) => id === version.id)
  const [majorVersion, minorVersion] = version.number.split('.').map(Number)
  return {
    name: dataset.title,
    type: 'dataset',
    url: `https://doi.org/${dataset.pid.replace(/^\w+:/, '')}`,
    global_id: dataset.pid,
    published_at: LONG_AGO,
    identifier_of_dataverse: dataset.collection.alias,
    name_of_dataverse: dataset.collection.title,
    publicationStatuses: [status],
    fileCount: version.files.length,
    ...(row && {
      versionId: row.id,
      versionState: row.state,
      ...(status === 'Published' && { majorVersion, minorVersion }),
      createdAt: LONG_AGO,
      updatedAt: live?.modifiedAt,
    }),
    ...(flag(call, 'show_entity_ids') && { entity_id: dataset.id }),
    ...(curates(user, dataset) && { userRoles: ['Curator'] }),
  }
}

async function fileItem(
  { file, label, restricted }: FileMeta,
  dataset: Dataset,
  { user, call }: Visit,
  context: Context,
): Promise<unknown> {
  const checksum = await publishedChecksum(file)
  return {
    name: label,
    type: 'file',
    url: `${context.url}/api/access/datafile/${file.id}`,
    file_id: String(file.id),
    file_persistent_id: file.spec.pid,
    file_content_type: file.contentType,
    size_in_bytes: file.stored.size,
    ...(checksum?.type === 'MD5' && { md5: checksum.value }),
    checksum,
    dataset_id: String(dataset.id),
    dataset_persistent_id: dataset.pid,
    restricted,
    ...(flag(call, 'show_entity_ids') && { entity_id: file.id }),
    ...(context.features.totalCount && { canDownloadFile: hasRole(file, user) }),
  }
}
