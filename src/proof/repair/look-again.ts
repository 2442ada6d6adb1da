import { sameChecksum } from '../../model/checksum.ts'
import { itemKey } from '../../model/item-key.ts'
import type { HashPath, Finding } from '../../batch/verify-destination.ts'
import type { Sink } from '../../sinks/sink.ts'
import type { WrongFile } from './wrong-files.ts'

/** What is at the path of a file that was missing or changed, once something was done about it. */
export async function lookAgain(wrong: WrongFile, sink: Sink, hash: HashPath, signal: AbortSignal): Promise<Finding> {
  const { path, batch, n, mirror, dataset, expected } = wrong
  const place = { path, batch, n, mirror, dataset, expected }
  const there = await sink.stat(path, itemKey(batch, n), signal)
  if (!there) return { state: 'missing', ...place }
  const { size } = there
  if (expected.size !== undefined && expected.size !== size) {
    return { state: 'changed', kind: 'wrong-size', ...place, found: { size } }
  }
  if (!expected.checksum) return { state: 'size-only', path, size }
  const checksum = await hash(path, expected.checksum.algorithm, size)
  if (checksum && sameChecksum(checksum, expected.checksum)) return { state: 'ok', path, size, checksum }
  return { state: 'changed', kind: 'bit-rot', ...place, found: { size, checksum } }
}
