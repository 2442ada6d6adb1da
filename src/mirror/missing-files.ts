import { mapInOrder } from '../async/map-in-order.ts'
import { AT_ONCE } from '../batch/record-sums.ts'
import { csvRow } from '../batch/wanted-rows.ts'
import type { Records } from '../sinks/sink.ts'
import { isHeld, readFiles, type MirroredDataset } from './state.ts'

/** A file of a mirror that is not here. */
export interface MissingFile {
  readonly dataset: string
  readonly version: string
  /** Relative to the destination. */
  readonly path: string
  /** The server's id. */
  readonly file: number
  readonly size: number | undefined
  /** Why; undefined: it was not tried yet. */
  readonly code: string | undefined
}

/** Every file that is missing in some datasets of a mirror, in their order. Rejects with `RECORD_UNREADABLE`. */
export async function* missingFiles(
  records: Records,
  mirror: string,
  datasets: AsyncIterable<MirroredDataset>,
): AsyncGenerator<MissingFile, void> {
  const found = mapInOrder(datasets, AT_ONCE, async ({ id, pid, files }) => {
    if (files.missing === 0) return []
    const all = await readFiles(records, mirror, id)
    return all
      .filter((one) => !isHeld(one))
      .map(({ version, path, file, size, code }) => ({ dataset: pid, version, path, file, size, code }))
  })
  for await (const some of found) yield* some
}

/** `missing.csv`: a row for each of them. */
export async function* missingTable(files: AsyncIterable<MissingFile>): AsyncGenerator<Uint8Array, void> {
  yield csvRow(['dataset', 'version', 'path', 'file', 'size', 'code'])
  for await (const { dataset, version, path, file, size = '', code = '' } of files) {
    yield csvRow([dataset, version, path, file, size, code])
  }
}
