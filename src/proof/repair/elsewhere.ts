import { z } from 'zod'
import { ExternalSort, sortText } from '../../batch/external-sort.ts'
import { verifyDestination } from '../../batch/verify-destination.ts'
import { DataferryError } from '../../errors.ts'
import { joined } from '../../mirror/joined.ts'
import type { Checksum } from '../../model/checksum.ts'
import { checksumsOf } from '../../model/receipt.ts'
import type { Sink } from '../../sinks/sink.ts'
import { onRecord } from '../verify/on-record.ts'

const placeSchema = z.object({ path: z.string() })

/** Places of one content that are tried. */
const TRIED = 4

/** What is sought, and where in a copy its records say that the same bytes are. */
export interface Elsewhere<T> {
  readonly sought: T
  readonly paths: readonly string[]
}

/**
 * Finds by content, in flat memory, what a copy holds at other paths, such as in another layout. Yields everything that is sought.
 * @param sought by `contentKey`
 */
export async function* elsewhere<T>(
  sought: ExternalSort<T>,
  copy: Sink,
  signal: AbortSignal,
): AsyncGenerator<Elsewhere<T>> {
  await using places = new ExternalSort(placeSchema)
  await addPlaces(places, copy, signal)
  for await (const { left, right } of joined(byKey(sought), byKey(places))) {
    const paths = (right?.values ?? []).slice(0, TRIED).map(({ path }) => path)
    for (const one of left?.values ?? []) yield { sought: one, paths }
  }
}

/** By which contents are sorted. */
export function contentKey({ algorithm, hex }: Checksum): string {
  return `${algorithm}:${hex}`
}

async function addPlaces(
  places: ExternalSort<z.infer<typeof placeSchema>>,
  copy: Sink,
  signal: AbortSignal,
): Promise<void> {
  const looked = verifyDestination(copy, {
    hash: () => Promise.resolve([]),
    signal,
    // Everything that is known of the copy passes here, and nothing of it is read.
    async *choose(paths) {
      for await (const { path, listed, received } of paths) {
        // Nobody needs to seek an empty file, of which there may be very many.
        if (!received || listed === undefined || listed === 0) continue
        for (const checksum of checksumsOf(received)) await places.add(contentKey(checksum), { path })
      }
      yield* []
    },
    ...onRecord(copy, signal),
  })
  try {
    // To its end: what it finds is damaged records alone, and what the others say counts all the same.
    while ((await looked.next()).done !== true) continue
  } catch (error) {
    // Without records nothing tells what is where.
    if (!(error instanceof DataferryError) || error.code !== 'NO_RECORDS') throw error
  }
}

async function* byKey<T>(
  sorted: ExternalSort<T>,
): AsyncGenerator<{ readonly id: string; readonly values: readonly T[] }> {
  for await (const { key, values } of sorted.groups()) yield { id: sortText(key), values }
}
