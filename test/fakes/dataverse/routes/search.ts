import { curates, denied, latestReleased } from '../access.ts'
import { flag, integer } from '../call.ts'
import type { Context, Visit } from '../context.ts'
import { publishedChecksum } from '../datafile.ts'
import { failure, ok, Refusal, unknownRoute } from '../reply.ts'
import type { Reply } from '../reply.ts'
import type { Collection, Dataset, FileMeta, Version } from '../world.ts'
import { metasOf } from './datasets.ts'

const MOST_PER_PAGE = 1000

/** `GET /api/search`: datasets and files of released versions, and the collections themselves. */
export async function search(visit: Visit, context: Context): Promise<Reply> {
  const { call } = visit
  if (context.settings.searchNeedsToken && !visit.user)
    throw new Refusal(
      failure(401, 'Please provide a key query parameter (?key=XXX) or via the HTTP header X-Dataverse-key'),
    )
  const q = call.query.get('q')
  if (q === null) throw new Refusal(failure(400, 'q parameter is missing'))
  const perPage = integer(call.query.get('per_page')) ?? 10
  const start = integer(call.query.get('start')) ?? 0
  if (perPage === 'bad' || start === 'bad') throw unknownRoute(call)
  if (perPage > MOST_PER_PAGE) throw new Refusal(failure(400, `Parameter per_page cannot exceed ${MOST_PER_PAGE}`))
  const found = hits(visit, words(q), context)
  const items = await Promise.all(found.slice(start, start + perPage).map((hit) => hit.item()))
  return ok({ q, total_count: found.length, start, spelling_alternatives: {}, items, count_in_response: items.length })
}

interface Hit {
  readonly name: string
  readonly item: () => unknown
}

/** The text that a name or PID must hold; field names and quotes are dropped. */
function words(q: string): string {
  return q === '*'
    ? ''
    : q
        .replace(/^\w+:(?=")/, '')
        .replaceAll('"', '')
        .toLowerCase()
}

function hits(visit: Visit, wanted: string, context: Context): Hit[] {
  const { query } = visit.call
  const types = query.getAll('type')
  const roots = query.getAll('subtree')
  const has = (type: string): boolean => types.length === 0 || types.includes(type)
  const found: Hit[] = []
  const add = (name: string, item: () => unknown, ...texts: string[]): void => {
    if ([name, ...texts].some((part) => part.toLowerCase().includes(wanted))) found.push({ name, item })
  }
  for (const collection of context.world.collections.values())
    if (has('dataverse') && collection.parent && inSubtree(collection.parent, roots))
      add(
        collection.title,
        () => ({ type: 'dataverse', name: collection.title, identifier: collection.alias }),
        collection.alias,
      )
  for (const dataset of context.world.datasets.values()) {
    const version = latestReleased(dataset)
    if (!version || !inSubtree(dataset.collection, roots)) continue
    if (has('dataset')) add(dataset.title, () => datasetItem(dataset, version, visit), dataset.pid)
    if (has('file')) for (const meta of metasOf(version)) add(meta.label, () => fileItem(meta, dataset, visit, context))
  }
  if (query.get('sort') === 'name') found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  return query.get('order') === 'desc' ? found.reverse() : found
}

function inSubtree(collection: Collection, roots: readonly string[]): boolean {
  if (roots.length === 0) return true
  for (let at: Collection | undefined = collection; at; at = at.parent) if (roots.includes(at.alias)) return true
  return false
}

function datasetItem(dataset: Dataset, version: Version, { call, user }: Visit): unknown {
  const [majorVersion, minorVersion] = version.number.split('.').map(Number)
  return {
    name: dataset.title,
    type: 'dataset',
    url: `https://doi.org/${dataset.pid.replace(/^\w+:/, '')}`,
    global_id: dataset.pid,
    published_at: '2025-02-10T09:00:00Z',
    publicationStatuses: ['Published'],
    fileCount: version.files.length,
    versionId: version.id,
    versionState: version.state,
    majorVersion,
    minorVersion,
    ...(flag(call, 'show_entity_ids') && { entity_id: dataset.id }),
    ...(curates(user, dataset) && { userRoles: ['Curator'] }),
  }
}

async function fileItem(
  { file, label, restricted }: FileMeta,
  dataset: Dataset,
  { user }: Visit,
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
    canDownloadFile: denied(file, user, context) === undefined,
  }
}
