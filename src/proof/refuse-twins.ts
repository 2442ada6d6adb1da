import type { ExternalSort } from '../batch/external-sort.ts'
import { DataferryError } from '../errors.ts'

/** Refuses files, sorted by path, of which two have one path: only one would be left. Rejects with `BAG_REFUSED`. */
export async function refuseTwins(files: ExternalSort<{ readonly path: string }>): Promise<void> {
  for await (const { values } of files.groups()) {
    const [one, other] = values
    if (one && other) throw new DataferryError('BAG_REFUSED', `Two files would both be ${one.path}.`)
  }
}
