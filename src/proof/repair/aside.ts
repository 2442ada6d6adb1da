import { z } from 'zod'
import { ExternalSort } from '../../batch/external-sort.ts'
import { joined } from '../../mirror/joined.ts'
import type { Sink } from '../../sinks/sink.ts'
import { keyed, readResults } from '../verify/results.ts'
import { asideOf, type PendingRepair } from './records.ts'

const pathSchema = z.object({ path: z.string() })

/**
 * Removes the damaged files that a repair keeps aside, of those paths where the last look found the right bytes.
 * @returns how many are still kept, as nothing good is in their place yet
 */
export async function dropAside(sink: Sink, pending: PendingRepair, signal: AbortSignal): Promise<number> {
  const folder = asideOf(pending)
  await using aside = new ExternalSort(pathSchema)
  for await (const { path: place } of sink.list(signal, folder)) {
    const path = place.slice(folder.length + 1)
    await aside.add(path, { path })
  }
  let left = 0
  for await (const { left: one, right } of joined(keyed(aside.values()), keyed(readResults(sink.records)))) {
    if (!one) continue
    signal.throwIfAborted()
    const state = right?.value.state
    if (state === 'ok' || state === 'size-only') await sink.remove(asideOf(pending, one.value.path))
    else left++
  }
  return left
}
