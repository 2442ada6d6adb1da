import { DataferryError } from '../../errors.ts'
import type { Holding, HoldingFile } from '../holding.ts'
import type { PackEntry } from '../pack/pack-entry.ts'
import { verifiedBytes, type ReadHeld } from '../verified-bytes.ts'
import { CRATE_FILES, type CrateBuilder } from './crate-builder.ts'

export interface CrateContent {
  readonly crate: CrateBuilder
  readonly holding: Pick<Holding, 'files'>
  readonly read: ReadHeld
  readonly onFile: (file: HoldingFile) => void
}

/** Everything in a crate: the files, each compared with what it was when it came, then what describes them. */
export async function* crateEntries({ crate, holding, read, onFile }: CrateContent): AsyncGenerator<PackEntry, void> {
  for await (const file of holding.files) {
    refuseCrateFile(file)
    const bytes = verifiedBytes(file, crate.algorithms, read)
    yield { path: file.path, size: file.size, chunks: bytes.chunks, place: file.place }
    await crate.add(file, await bytes.digests())
    onFile(file)
  }
  yield* crate.entries()
}

/** A dataset may be a crate itself: its own description is not overwritten. Throws `BAG_REFUSED`. */
export function refuseCrateFile({ path }: HoldingFile): void {
  if (!CRATE_FILES.includes(path.toLowerCase())) return
  throw new DataferryError('BAG_REFUSED', `The dataset has a ${path} of its own, so no other crate is made of it.`, {
    advice: 'It is a crate already: hand on its files as they are, or as a bag without --crate.',
  })
}
