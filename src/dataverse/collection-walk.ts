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

/**
 * The datasets of a collection and of all collections in it, from the database instead of the index: up to date, but
 * without linked datasets. One request per collection.
 * @param collection its id or alias
 * @param patiently asks for the contents of a collection again while it is worth waiting
 * @param most collections that there can be: a server that names ever more of them is refused with `SOURCE_UNEXPECTED`
 * @see the mirroring note §1.2
 */
export async function* walkCollection(
  installation: Installation,
  policy: RetryPolicy,
  collection: number | string,
  signal: AbortSignal,
  patiently: Patiently,
  most = MOST_COLLECTIONS,
): AsyncGenerator<FoundDataset, void> {
  const open: (number | string)[] = [collection]
  const seen = new Set<number | string>()
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    if (seen.size > most) {
      const message = `${installation.host} names more than ${most} collections within collection ${collection}.`
      throw new DataferryError('SOURCE_UNEXPECTED', message)
    }
    const { datasets, collections } = await patiently(() => contents(installation, policy, next, signal))
    yield* datasets
    open.push(...collections.reverse())
  }
}

interface Contents {
  readonly datasets: readonly FoundDataset[]
  readonly collections: number[]
}

async function contents(
  installation: Installation,
  policy: RetryPolicy,
  collection: number | string,
  signal: AbortSignal,
): Promise<Contents> {
  const what = `the contents of collection ${collection}`
  const route: Route = { path: `dataverses/${encodePath(String(collection))}/contents`, query: [], what }
  return withRetries(
    async () => {
      const datasets: FoundDataset[] = []
      const collections: number[] = []
      let isList = false
      for await (const { kind, path, value } of answerParts(installation, { route, signal }, ANSWER)) {
        if (kind === 'list') isList = true
        if (path !== 'data[]') continue
        const one = checkData(value, content, installation.host, what)
        if (one.type === 'dataset') datasets.push({ id: one.id, pid: joinedPid(one) })
        else collections.push(one.id)
      }
      if (isList) return { datasets, collections }
      throw new DataferryError('SOURCE_UNEXPECTED', `${installation.host} answered ${what} with something else.`)
    },
    policy,
    signal,
  )
}
