import { z } from 'zod'
import { ExternalSort, numberKey } from '../batch/external-sort.ts'
import type { FoundDataset, MirrorSource, SearchScope } from '../model/mirror-source.ts'
import type { MirrorScope } from './order.ts'
import { isErrorOf } from './errors.ts'

/** A line of `pending/found.ndjson`. */
export const foundSchema = z.object({
  id: z.number().int().positive(),
  pid: z.string(),
  owner: z.string().optional(),
  seen: z
    .object({ versionId: z.number().int(), number: z.string().optional(), updatedAt: z.string().optional() })
    .optional(),
})

/** Datasets of a list that are asked for in one search: a longer address would be refused. */
const IDS_AT_A_TIME = 100

/** Characters that are sorted in memory: some ten thousand datasets. */
const SORTED_CHARACTERS = 1 << 20

/** What is known of a list of datasets. */
export interface KnownList {
  /** Ids of datasets that an earlier run knew, by PID. */
  readonly idOf: ReadonlyMap<string, number>
  /** Told of each PID that the server does not show. */
  readonly onUnknown: (pid: string) => void
}

/**
 * What the index knows of a scope, by ascending id, each once, from after an id on. A list is asked for by ids, as far as
 * those are known.
 */
export async function* searchScope(
  source: MirrorSource,
  scope: MirrorScope,
  after: number,
  { idOf, onUnknown }: KnownList,
  signal: AbortSignal,
): AsyncGenerator<FoundDataset, void> {
  switch (scope.kind) {
    case 'collections':
      yield* merged(scope.collections.map((collection) => searched(source, { collection }, after, signal)))
      return
    case 'query':
      yield* searched(source, { query: scope.query }, after, signal)
      return
    case 'oai-set':
      yield* searched(source, { query: await source.setDefinition(scope.set, signal) }, after, signal)
      return
    case 'datasets':
      yield* listed(source, scope.datasets, after, { idOf, onUnknown }, signal)
  }
}

/** Harvested datasets that the index knows in collections and all within, by ascending id, each once. */
export function harvestedIn(
  source: MirrorSource,
  collections: readonly string[],
  after: number,
  signal: AbortSignal,
): AsyncGenerator<FoundDataset, void> {
  return merged(collections.map((collection) => searched(source, { collection, harvested: true }, after, signal)))
}

/** What the database holds of collections and all within, whatever the index says, by ascending id, each once. */
export async function* walkCollections(
  source: MirrorSource,
  collections: readonly string[],
  after: number,
  signal: AbortSignal,
): AsyncGenerator<FoundDataset, void> {
  // Collections come in the order of the tree: what they hold is sorted on disk.
  await using sort = new ExternalSort(foundSchema, SORTED_CHARACTERS)
  const tell = async ({ id, pid }: FoundDataset): Promise<void> => {
    if (id > after) await sort.add(numberKey(id), { id, pid })
  }
  for (const collection of collections) await source.walk(collection, tell, signal)
  // One collection may lie within another one, and a walk may tell of a dataset twice.
  for await (const { values } of sort.groups()) yield* values.slice(0, 1)
}

/** Joins streams that ascend; of equal ids the first stream counts. */
async function* merged(streams: readonly AsyncIterable<FoundDataset>[]): AsyncGenerator<FoundDataset, void> {
  const open = streams.map((stream) => stream[Symbol.asyncIterator]())
  try {
    const heads = await Promise.all(open.map((one) => one.next()))
    for (;;) {
      const ids = heads.map((head) => (head.done === true ? Infinity : head.value.id))
      const least = Math.min(...ids)
      if (least === Infinity) return
      const first = heads[ids.indexOf(least)]
      if (first && first.done !== true) yield first.value
      for (const [at, id] of ids.entries()) {
        const stream = open[at]
        if (id === least && stream) heads[at] = await stream.next()
      }
    }
  } finally {
    for (const one of open) await one.return?.(undefined)
  }
}

async function* searched(
  source: MirrorSource,
  scope: SearchScope,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<FoundDataset, void> {
  for await (const page of source.search(scope, after, signal)) yield* page
}

/** What the server does not show now is left out: it is asked for directly, as anything that is not found any more. */
async function* listed(
  source: MirrorSource,
  pids: readonly string[],
  after: number,
  { idOf, onUnknown }: KnownList,
  signal: AbortSignal,
): AsyncGenerator<FoundDataset, void> {
  const byId = new Map<number, FoundDataset>()
  for (const pid of new Set(pids)) {
    const id = idOf.get(pid)
    const found = id === undefined ? await source.find(pid, signal) : { id, pid }
    if (!found) onUnknown(pid)
    else if (found.id > after) byId.set(found.id, found)
  }
  // A list may name a dataset in several spellings.
  const known = [...byId.values()].sort((a, b) => a.id - b.id)
  for (let from = 0; from < known.length; from += IDS_AT_A_TIME) {
    const some = known.slice(from, from + IDS_AT_A_TIME)
    const query = `entityId:(${some.map(({ id }) => id).join(' OR ')})`
    const seen = new Map<number, FoundDataset>()
    try {
      for await (const one of searched(source, { query }, 0, signal)) seen.set(one.id, one)
    } catch (error) {
      // Without the index each of them is looked at.
      if (!isErrorOf(error, 'SOURCE_NOT_LISTED', 'SOURCE_NOT_FOUND', 'SOURCE_REJECTED')) throw error
    }
    yield* some.map((one) => seen.get(one.id) ?? one)
  }
}
