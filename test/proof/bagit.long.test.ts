import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openBag } from '../../src/proof/bagit/bag-source.ts'
import { checkBag } from '../../src/proof/bagit/check-bag.ts'
import { KNOWN_PROFILES } from '../../src/proof/bagit/known-profiles.ts'
import type { BagOptions } from '../../src/proof/bagit/prepare-bag.ts'
import { writePack } from '../../src/proof/pack/write-pack.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { bagOf, packTarget } from './held.ts'
import { hasPython, python } from './validators.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'df-bag-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const CONTENTS = {
  'raw/a.csv': 'a,b\n1,2\n',
  'raw/empty': '',
  'Grüße, Ёлка 日本.txt': 'x'.repeat(100_000),
  'a b  c.txt': 'y',
  'e\u0301': 'decomposed',
}

/** Names that a manifest has to write otherwise, or that some systems take for one another. */
const HARD_NAMES = { 'a\r\nb.txt': '1', 'c\nd': '2', 'e\u0301': '3', '\u00e9': '4', 'x.csv': '5', 'X.csv': '6' }

async function write(
  options: Partial<BagOptions> & { readonly crate?: boolean },
  contents: Readonly<Record<string, string>> = CONTENTS,
): Promise<string> {
  const { serialization = 'folder' } = options
  const sink = diskSink(folder)
  await writePack('bag', bagOf(contents, options), packTarget(sink, { serialization }))
  await sink.close()
  return join(folder, serialization === 'folder' ? 'bag' : `bag.${serialization}`)
}

describe.skipIf(!hasPython)('validators of other people', () => {
  it.each<Partial<BagOptions> & { readonly crate?: boolean }>([
    {},
    { algorithms: ['md5', 'sha1', 'sha256', 'sha512'] },
    { crate: true },
    { profile: KNOWN_PROFILES.get('rda') && { 'Accept-BagIt-Version': ['0.97'] } },
  ])('bagit-python and bdbag accept a bag made with %j', async (options) => {
    const path = await write(options)
    const bagit = await python('bagit.py', '--validate', path)
    expect(bagit.text).toContain('is valid')
    expect(bagit.code).toBe(0)
    const bdbag = await python('bdbag', '--validate', 'full', path)
    expect(bdbag.code, bdbag.text).toBe(0)
  })

  it.each(['zip', 'tar'] as const)('bdbag accepts a bag packed as %s', async (serialization) => {
    const path = await write({ serialization })
    const bdbag = await python('bdbag', '--validate', 'full', path)
    expect(bdbag.code, bdbag.text).toBe(0)
  })

  it.each(
    (['folder', 'zip', 'tar'] as const).flatMap((form) => [
      [form, 'line breaks, accents in both forms and names that differ in case', HARD_NAMES] as const,
      [form, 'nothing', {}] as const,
    ]),
  )('they accept a %s with %s', async (serialization, _, contents) => {
    const path = await write({ serialization }, contents)
    const bdbag = await python('bdbag', '--validate', 'full', path)
    expect(bdbag.code, bdbag.text).toBe(0)
    if (serialization !== 'folder') return
    const bagit = await python('bagit.py', '--validate', path)
    expect(bagit.code, bagit.text).toBe(0)
  })

  // RFC 8493 §2.1.3 has it encoded, which bagit-python does not decode.
  it('a percent sign is encoded as BagIt 1.0 says; a bag of the version before, where it is not, they accept', async () => {
    const contents = { '100%.txt': '1' }
    const path = await write({}, contents)
    expect(await readFile(join(path, 'manifest-sha256.txt'), 'utf8')).toContain('  data/100%25.txt\n')
    await using source = await openBag(path)
    const signal = new AbortController().signal
    expect(await checkBag(source, { signal, onFinding: () => undefined })).toMatchObject({ wrong: 0, odd: 0 })
    await rm(path, { recursive: true })
    const before = await write({ profile: { 'Accept-BagIt-Version': ['0.97'] } }, contents)
    const bagit = await python('bagit.py', '--validate', before)
    expect(bagit.code, bagit.text).toBe(0)
  })
})
