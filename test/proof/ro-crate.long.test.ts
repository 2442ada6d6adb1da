import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writePack } from '../../src/proof/pack/write-pack.ts'
import { CrateBuilder, METADATA_FILE } from '../../src/proof/ro-crate/crate-builder.ts'
import { crateEntries } from '../../src/proof/ro-crate/crate-entries.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { DESCRIPTION, held, NOW, packTarget, STAMP } from './held.ts'
import { CONTEXT_CACHE, hasPython, python } from './validators.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-crate-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const NOTHING_SAID = { authors: [], contacts: [], keywords: [] }
const CONTENTS = { 'raw/a b.csv': 'one', 'Grüße 100% #1?.txt': 'x', empty: '' }

describe.skipIf(!hasPython)('validators of other people', () => {
  it.each([
    ['everything is said of', DESCRIPTION, CONTENTS, []],
    ['nothing is said of', NOTHING_SAID, CONTENTS, []],
    [
      'a file is missing of',
      { ...DESCRIPTION, license: undefined, terms: 'Ask.' },
      CONTENTS,
      [{ path: 'b', why: 'SOURCE_DENIED' }],
    ],
    ['there is no file of', DESCRIPTION, {}, []],
  ])('roc-validator accepts a crate when %s a dataset', async (_, description, contents, missing) => {
    const { holding, read } = held(contents, missing)
    await using crate = new CrateBuilder({ holding, description, softwareVersion: '0.1.0', now: NOW, stamp: STAMP })
    const sink = diskSink(folder)
    const target = packTarget(sink, { marker: METADATA_FILE, stamped: METADATA_FILE })
    await writePack('crate', crateEntries({ crate, holding, read, onFile: () => undefined }), target)
    await sink.close()
    const flags = ['--offline', '--cache-path', CONTEXT_CACHE, '-p', 'ro-crate-1.2', '-l', 'required']
    const judged = await python(
      'rocrate-validator',
      '-y',
      '--disable-color',
      'validate',
      ...flags,
      join(folder, 'crate'),
    )
    expect(judged.text).toContain('is a valid ro-crate-1.2')
    expect(judged.code).toBe(0)
  })
})
