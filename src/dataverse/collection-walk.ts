import { z } from 'zod'
import { DataferryError } from '../errors.ts'
import { joinedPid } from '../model/dataset-pid.ts'
import type { JsonShape } from '../json/json-parts.ts'
import type { FoundDataset } from '../model/mirror-source.ts'
import { answerParts } from './answer-parts.ts'
import { pidPiecesSchema } from './dataset-element.ts'
import type { Installation } from './installation.ts'
import { checkData } from './json-call.ts'
import { withRetries, type Patiently, type RetryPolicy } from './retry.ts'
import { encodePath, type Route } from './route.ts'

const ANSWER: JsonShape = { members: { data: { each: {} } } }
const content = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('dataverse'), id: z.number().int().positive() }),
  z.looseObject({ type: z.literal('dataset'), id: z.number().int().positive(), ...pidPiecesSchema.shape }),
])

/** Several times as many as the largest installation has. */
const MOST_COLLECTIONS = 200_000

/** Where and how a collection is walked. */
interface Walk {
  readonly installation: Installation
  readonly policy: RetryPolicy
  readonly signal: AbortSignal
  /** Asks for the contents of a collection again while it is worth waiting. */
  readonly patiently: Patiently
  /** Collections that there can be: a server that names ever more of them is refused with `SOURCE_UNEXPECTED`. */
  readonly most?: number
}

/**
 * The datasets of a collection and of all collections in it, from the database instead of the index: up to date, but
 * without linked datasets. One request per collection.
 * @param collection its id or alias
 * @see the mirroring note §1.2
 */
export async function* walkCollection(collection: number | string, walk: Walk): AsyncGenerator<FoundDataset, void> {
  const read = async (next: number | string): Promise<Read<readonly FoundDataset[]>> => {
    const datasets: FoundDataset[] = []
    const inner = await contents(next, walk, (dataset) => Promise.resolve(void datasets.push(dataset)))
    return { inner, kept: datasets }
  }
  for await (const datasets of eachCollection(collection, walk, read)) yield* datasets
}

/** The same in flat memory, however many a collection holds: after a failure it may tell of some of them again. */
export async function tellCollection(
  collection: number | string,
  walk: Walk,
  tell: (dataset: FoundDataset) => Promise<void>,
): Promise<void> {
  const read = async (next: number | string): Promise<Read<undefined>> => ({
    inner: await contents(next, walk, tell),
    kept: undefined,
  })
  const all = eachCollection(collection, walk, read)
  while ((await all.next()).done !== true);
}

/** A collection that was read. */
interface Read<T> {
  /** Ids of the collections in it. */
  readonly inner: readonly number[]
  readonly kept: T
}

/** @param read reads a collection, as often as it has to be */
async function* eachCollection<T>(
  collection: number | string,
  { installation, policy, signal, patiently, most = MOST_COLLECTIONS }: Walk,
  read: (collection: number | string) => Promise<Read<T>>,
): AsyncGenerator<T, void> {
  const open: (number | string)[] = [collection]
  const seen = new Set<number | string>()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    if (seen.size > most) {
      const message = `${installation.host} names more than ${most} collections within collection ${collection}.`
      throw new DataferryError('SOURCE_UNEXPECTED', message)
    }
    const asked = next
    const { inner, kept } = await patiently(() => withRetries(() => read(asked), policy, signal))
    yield kept
    open.push(...[...inner].reverse())
  }
}

/** Tells of every dataset that a collection holds itself. @returns the ids of the collections in it */
async function contents(
  collection: number | string,
  { installation, signal }: Walk,
  tell: (dataset: FoundDataset) => Promise<void>,
): Promise<readonly number[]> {
  const what = `the contents of collection ${collection}`
  const route: Route = { path: `dataverses/${encodePath(String(collection))}/contents`, query: [], what }
  const collections: number[] = []
  let isList = false
  for await (const { kind, path, value } of answerParts(installation, { route, signal }, ANSWER)) {
    if (kind === 'list') isList = true
    if (path !== 'data[]') continue
    const one = checkData(value, content, installation.host, what)
    if (one.type === 'dataset') await tell({ id: one.id, pid: joinedPid(one) })
    else collections.push(one.id)
  }
  if (isList) return collections
  throw new DataferryError('SOURCE_UNEXPECTED', `${installation.host} answered ${what} with something else.`)
}
