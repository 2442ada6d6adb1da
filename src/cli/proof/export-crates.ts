import { DATAFERRY_VERSION } from '../../dataverse/version.ts'
import { describe } from '../../proof/description.ts'
import { missingProblem } from '../../proof/missing-problem.ts'
import { DataferryError } from '../../errors.ts'
import type { PackEntry } from '../../proof/pack/pack-entry.ts'
import { CrateBuilder, METADATA_FILE } from '../../proof/ro-crate/crate-builder.ts'
import { crateEntries } from '../../proof/ro-crate/crate-entries.ts'
import type { Context, ExitCode } from '../command.ts'
import { handOn, type Form, type Subject } from './hand-on.ts'
import { readHandOn } from './read-hand-on.ts'

/** `dataferry export ro-crate WHAT`: 0 every crate is there, 1 some could not be made. */
export async function exportCrates(context: Context, what: string): Promise<ExitCode> {
  const allowMissing = context.has('allow-missing')
  const form: Form = {
    noun: 'crate',
    marker: METADATA_FILE,
    stamped: METADATA_FILE,
    allowMissing,
    how: undefined,
    entries: (subject) => entriesOf(subject, allowMissing),
  }
  return handOn(context, readHandOn(context, what), form)
}

async function* entriesOf(
  { holding, metadata, read, onFile, now, stamp }: Subject,
  allowMissing: boolean,
): AsyncGenerator<PackEntry, void> {
  const problem = allowMissing ? undefined : missingProblem(holding)
  if (problem !== undefined)
    throw new DataferryError('BAG_REFUSED', `No crate was made of ${holding.name}: ${problem}.`)
  const description = describe(metadata.get('dataset.json'))
  await using crate = new CrateBuilder({ holding, description, softwareVersion: DATAFERRY_VERSION, now, stamp })
  yield* crateEntries({ crate, holding, read, onFile })
}
