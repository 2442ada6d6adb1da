import { DATAFERRY_VERSION } from '../../dataverse/version.ts'
import { bagEntries } from '../../proof/bagit/bag-entries.ts'
import { prepareBag } from '../../proof/bagit/prepare-bag.ts'
import { describe } from '../../proof/description.ts'
import type { PackEntry } from '../../proof/pack/pack-entry.ts'
import { CrateBuilder } from '../../proof/ro-crate/crate-builder.ts'
import type { Context, ExitCode } from '../command.ts'
import { handOn, type Form, type HandOnRequest, type Subject } from '../proof/hand-on.ts'
import { readHandOn } from '../proof/read-hand-on.ts'
import { readBagFlags, type BagFlags } from './read-flags.ts'

/** `dataferry bag WHAT`: 0 every bag is there, 1 some could not be made. */
export async function makeBags(context: Context, what: string): Promise<ExitCode> {
  const request = readHandOn(context, what)
  const flags = await readBagFlags(context)
  const { profile, algorithms, crate, allowMissing } = flags
  const form: Form = {
    noun: 'bag',
    marker: 'bagit.txt',
    stamped: 'bag-info.txt',
    allowMissing,
    how: { profile, algorithms: algorithms?.toSorted(), crate },
    entries: (subject) => entriesOf(subject, request, flags),
  }
  return handOn(context, request, form)
}

async function* entriesOf(
  { holding, metadata, read, onFile, now, stamp }: Subject,
  { serialization }: HandOnRequest,
  flags: BagFlags,
): AsyncGenerator<PackEntry, void> {
  const description = describe(metadata.get('dataset.json'))
  const software = `dataferry/${DATAFERRY_VERSION}`
  const bag = prepareBag({ holding, description, metadata }, { ...flags, serialization, stamp, software, now })
  if (!flags.crate) {
    yield* bagEntries({ bag, holding, read, onFile })
    return
  }
  await using crate = new CrateBuilder({ holding, description, softwareVersion: DATAFERRY_VERSION, now, stamp })
  yield* bagEntries({ bag, holding, read, onFile, crate })
}
