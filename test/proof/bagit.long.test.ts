import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
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

async function write(options: Partial<BagOptions> & { readonly crate?: boolean }): Promise<string> {
  const { serialization = 'folder' } = options
  const sink = diskSink(folder)
  await writePack('bag', bagOf(CONTENTS, options), packTarget(sink, { serialization }))
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
})
