import { mapInOrder } from '../async/map-in-order.ts'
import { AT_ONCE, recordSum } from '../batch/record-sums.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './order.ts'
import { datasetSchema, readLines, type MirroredDataset } from './state.ts'

/** A record of a dataset, which is in no folder of a run, compared with the digest that a run has of it. */
export interface LinkedFinding {
  /** `unstated`: the run has no digest of it, as it was written by an older version. */
  readonly state: 'right' | 'changed' | 'missing' | 'unstated'
  /** Relative to `.dataferry/`. */
  readonly name: string
  readonly dataset: string
}

/**
 * Reads every record that `datasets.ndjson` of a run leads to: those of the files of each dataset, and the metadata that is kept. Rejects with
 * `RECORD_UNREADABLE`.
 */
export async function* checkLinked(records: Records, mirror: string, run: string): AsyncGenerator<LinkedFinding, void> {
  const datasets = readLines(records, names.datasets(mirror, run), datasetSchema)
  const compared = mapInOrder(linked(mirror, datasets), AT_ONCE, async ({ expected, ...one }) => {
    const { size, sha256 } = await recordSum(records, one.name)
    if (sha256 === expected) return { ...one, state: 'right' as const }
    const isThere = size > 0 || (await records.read(one.name)) !== undefined
    if (expected === undefined) return isThere ? { ...one, state: 'unstated' as const } : undefined
    return { ...one, state: isThere ? ('changed' as const) : ('missing' as const) }
  })
  for await (const finding of compared) if (finding) yield finding
}

interface Linked {
  readonly name: string
  readonly dataset: string
  /** SHA-256. */
  readonly expected: string | undefined
}

async function* linked(mirror: string, datasets: AsyncIterable<MirroredDataset>): AsyncGenerator<Linked, void> {
  for await (const { id, pid: dataset, folder, versions, filesSha256 } of datasets) {
    yield { name: names.files(mirror, id), dataset, expected: filesSha256 }
    for (const { number, metadata = {} } of versions) {
      for (const [file, expected] of Object.entries(metadata)) {
        yield { name: names.metadata(mirror, folder, number, file), dataset, expected }
      }
    }
  }
}
