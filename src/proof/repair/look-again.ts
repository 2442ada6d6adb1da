import { itemKey } from '../../model/item-key.ts'
import { compareFile, type HashPath, type Finding } from '../../batch/verify-destination.ts'
import { isRecord } from '../../sinks/names.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { WrongFile } from './wrong-files.ts'

/** What is at the path of a file that was missing or changed, once something was done about it. */
export async function lookAgain(wrong: WrongFile, sink: Sink, hash: HashPath, signal: AbortSignal): Promise<Finding> {
  const { path, batch, n, mirror, dataset, expected } = wrong
  // Nothing was done about it.
  if (isRecord(path)) return wrong
  const file = { path, batch, n, mirror, dataset, expected }
  const there = await sink.stat(path, itemKey(batch, n), signal)
  return there ? compareFile(file, there.size, { hash }) : { state: 'missing', ...file }
}
