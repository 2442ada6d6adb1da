import { curates } from '../access.ts'
import type { Context, Visit } from '../context.ts'
import { limit } from '../limiter.ts'
import { failure, ok, Refusal, unknownRoute } from '../reply.ts'
import type { Reply } from '../reply.ts'
import { flag } from '../call.ts'
import type { Collection } from '../world.ts'
import { datasetElement, partOf } from './datasets.ts'

/** `GET /api/dataverses/{alias|id}[/contents]`: direct children, unpaged. */
export function getCollections(visit: Visit, segments: readonly string[], context: Context): Reply {
  const [name = '', section] = segments
  const wanted = name === ':root' ? 'root' : name
  const collections = [...context.world.collections.values()]
  const found = collections.find(({ alias, id }) => alias === wanted || String(id) === wanted)
  if (!found) throw new Refusal(failure(404, `Can't find dataverse with identifier='${name}'`))
  limit(visit, section === undefined ? 'GetDataverseCommand' : 'ListDataverseContentCommand', context)
  if (section === undefined) return ok(collectionElement(visit, found))
  if (section !== 'contents') throw unknownRoute(visit.call)
  const below = collections.filter(({ parent }) => parent === found)
  const datasets = [...context.world.datasets.values()].filter(
    (dataset) =>
      dataset.collection === found &&
      (dataset.versions.some(({ state }) => state !== 'DRAFT') || curates(visit.user, dataset)),
  )
  return ok([
    ...below.map(({ id, title }) => ({ type: 'dataverse', id, title })),
    ...datasets.map((dataset) => ({ type: 'dataset', ...datasetElement(dataset), locks: [] })),
  ])
}

function collectionElement({ call }: Visit, { id, alias, title, parent }: Collection): unknown {
  return { id, alias, name: title, ...(parent && flag(call, 'returnOwners') && { isPartOf: partOf(parent) }) }
}
