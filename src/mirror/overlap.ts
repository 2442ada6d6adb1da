import { pidKey } from '../model/dataset-pid.ts'
import type { FoundDataset, MirrorSource, SearchScope } from '../model/mirror-source.ts'
import { joined } from './joined.ts'
import { Membership } from './leaving.ts'
import type { MirrorOrder } from './order.ts'

type Scope = MirrorOrder['scope']
/** A search, and the scope whose members it finds. */
interface Part extends SearchScope {
  readonly scope: Scope
}

/** Datasets of a list that one search asks for. */
const IDS_AT_A_TIME = 50

/** Whether two scopes of one server have any dataset in common now. */
export async function overlaps(a: Scope, b: Scope, source: MirrorSource, signal: AbortSignal): Promise<boolean> {
  if (a.kind === 'datasets' && b.kind === 'datasets') {
    const pids = new Set(a.datasets.map(pidKey))
    return b.datasets.some((pid) => pids.has(pidKey(pid)))
  }
  const [mine, theirs] = await Promise.all([searchesOf(a, source, signal), searchesOf(b, source, signal)])
  for (const one of mine) {
    for (const other of theirs) if (await meet(one, other, source, signal)) return true
  }
  return false
}

async function searchesOf(scope: Scope, source: MirrorSource, signal: AbortSignal): Promise<readonly Part[]> {
  switch (scope.kind) {
    case 'collections':
      return scope.collections.map((collection) => ({ scope, collection }))
    case 'query':
      return [{ scope, query: scope.query }]
    case 'oai-set':
      return [{ scope, query: await source.setDefinition(scope.set, signal) }]
    case 'datasets':
      return (await listQueries(scope.datasets, source, signal)).map((query) => ({ scope, query }))
  }
}

async function listQueries(
  pids: readonly string[],
  source: MirrorSource,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ids: number[] = []
  for (const pid of pids) {
    const found = await source.find(pid, signal)
    if (found) ids.push(found.id)
  }
  const queries: string[] = []
  for (let from = 0; from < ids.length; from += IDS_AT_A_TIME) {
    queries.push(`entityId:(${ids.slice(from, from + IDS_AT_A_TIME).join(' OR ')})`)
  }
  return queries
}

async function meet(a: Part, b: Part, source: MirrorSource, signal: AbortSignal): Promise<boolean> {
  if (a.collection !== undefined && b.collection !== undefined) {
    const [mine, theirs] = await Promise.all([source.owners(a.collection, signal), source.owners(b.collection, signal)])
    if (mine.some((alias) => alias === theirs[0]) || theirs.some((alias) => alias === mine[0])) return true
    return (takesLinks(a) || takesLinks(b)) && haveCommon(members(a, source, signal), members(b, source, signal))
  }
  const queries = [a.query, b.query].filter((query) => query !== undefined)
  const both: Part = {
    ...(a.collection === undefined ? b : a),
    query: queries.length === 1 ? (queries[0] ?? '*') : `(${queries.join(') AND (')})`,
  }
  for await (const _ of members(both, source, signal)) return true
  return false
}

function takesLinks({ scope }: Part): boolean {
  return scope.kind === 'collections' && scope.linked
}

async function haveCommon(a: AsyncIterable<FoundDataset>, b: AsyncIterable<FoundDataset>): Promise<boolean> {
  for await (const { left, right } of joined(a, b)) if (left && right) return true
  return false
}

/** What a search finds of a scope: not all of it belongs there. */
async function* members(part: Part, source: MirrorSource, signal: AbortSignal): AsyncGenerator<FoundDataset, void> {
  const membership = new Membership(source, part, signal)
  for await (const page of source.search(part, 0, signal)) {
    for (const found of page) if (await membership.has(found)) yield found
  }
}
