import type { MirrorSource, SearchScope } from '../model/mirror-source.ts'
import type { MirrorOrder } from './order.ts'

type Scope = MirrorOrder['scope']

/** Datasets of a list that one search asks for. */
const IDS_AT_A_TIME = 50

/** Whether two scopes of one server have any dataset in common now. */
export async function overlaps(a: Scope, b: Scope, source: MirrorSource, signal: AbortSignal): Promise<boolean> {
  if (a.kind === 'datasets' && b.kind === 'datasets') return a.datasets.some((pid) => b.datasets.includes(pid))
  const [mine, theirs] = await Promise.all([searchesOf(a, source, signal), searchesOf(b, source, signal)])
  for (const one of mine) {
    for (const other of theirs) if (await meet(one, other, source, signal)) return true
  }
  return false
}

async function searchesOf(scope: Scope, source: MirrorSource, signal: AbortSignal): Promise<readonly SearchScope[]> {
  switch (scope.kind) {
    case 'collections':
      return scope.collections.map((collection) => ({ collection }))
    case 'query':
      return [{ query: scope.query }]
    case 'oai-set':
      return [{ query: await source.setDefinition(scope.set, signal) }]
    case 'datasets':
      return listSearches(scope.datasets, source, signal)
  }
}

async function listSearches(
  pids: readonly string[],
  source: MirrorSource,
  signal: AbortSignal,
): Promise<readonly SearchScope[]> {
  const ids: number[] = []
  for (const pid of pids) {
    const found = await source.find(pid, signal)
    if (found) ids.push(found.id)
  }
  const searches: SearchScope[] = []
  for (let from = 0; from < ids.length; from += IDS_AT_A_TIME) {
    searches.push({ query: `entityId:(${ids.slice(from, from + IDS_AT_A_TIME).join(' OR ')})` })
  }
  return searches
}

async function meet(a: SearchScope, b: SearchScope, source: MirrorSource, signal: AbortSignal): Promise<boolean> {
  if (a.collection !== undefined && b.collection !== undefined) {
    const [mine, theirs] = await Promise.all([source.owners(a.collection, signal), source.owners(b.collection, signal)])
    return mine.includes(b.collection) || theirs.includes(a.collection)
  }
  const queries = [a.query, b.query].filter((query) => query !== undefined)
  const collection = a.collection ?? b.collection
  const both: SearchScope = {
    ...(collection !== undefined && { collection }),
    ...(queries.length > 0 && { query: queries.length === 1 ? (queries[0] ?? '*') : `(${queries.join(') AND (')})` }),
  }
  for await (const page of source.search(both, 0, signal)) return page.length > 0
  return false
}
