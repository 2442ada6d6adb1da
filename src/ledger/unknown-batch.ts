import { DataferryError } from '../errors.ts'
import type { BatchId } from '../model/batch.ts'

/** What every ledger rejects with when it does not know the batch. */
export function unknownBatch(id: BatchId): DataferryError {
  return new DataferryError('BATCH_NOT_FOUND', `The ledger knows no batch ${id}; rebuild it with dataferry resume.`)
}
