import type { BatchId } from '../model/batch.ts'
import { safePath } from '../model/path.ts'
import type { Records } from '../sinks/sink.ts'
import { names } from './folder.ts'
import { recordText } from './record.ts'

/** Terms of use as they were when somebody accepted them. */
interface TermsRecord {
  readonly v: 1
  readonly server: string
  readonly dataset: string
  readonly version: string
  readonly acceptedAt: string
  /** The texts by the server's names for them. */
  readonly terms: Readonly<Record<string, string>>
}

/** Keeps the terms of a dataset version beside the receipts of a batch. Those that are there stay as they are. */
export async function keepTerms(records: Records, batch: BatchId, record: TermsRecord): Promise<void> {
  const name = nameOf(batch, record)
  if (!(await records.read(name))) await records.write(name, recordText(record))
}

export async function hasTerms(
  records: Records,
  batch: BatchId,
  place: Pick<TermsRecord, 'dataset' | 'version'>,
): Promise<boolean> {
  return (await records.read(nameOf(batch, place))) !== undefined
}

function nameOf(batch: BatchId, { dataset, version }: Pick<TermsRecord, 'dataset' | 'version'>): string {
  const folder = dataset.replaceAll(/[:/]+/g, '-')
  return names.terms(batch, safePath(`${folder}_${version.replace(':', '')}`).path)
}
