import { expect, it } from 'vitest'
import { describe } from '../../src/proof/description.ts'
import type { Description } from '../../src/proof/description.ts'
import { CrateBuilder } from '../../src/proof/ro-crate/crate-builder.ts'
import { held, NOW, STAMP } from './held.ts'

const described = (version: unknown): Description => describe(Buffer.from(JSON.stringify(version)))

async function crateText(description: Description): Promise<string> {
  const { holding } = held({})
  await using crate = new CrateBuilder({ holding, description, softwareVersion: '0', now: NOW, stamp: STAMP })
  let text = ''
  for await (const { chunks } of crate.entries())
    for await (const chunk of chunks) text += Buffer.from(chunk).toString()
  return text
}

it('what Dataverse writes where there is no license is none', () => {
  expect(described({ license: 'NONE', termsOfUse: 'Ask.' })).toMatchObject({ license: undefined, terms: 'Ask.' })
  expect(described({ license: { name: 'CC0 1.0', uri: '' } }).license).toEqual({ name: 'CC0 1.0', url: undefined })
})

it('a crate says that a dataset states no license only where the dataset could be asked', async () => {
  expect(await crateText(described({}))).toContain('The dataset states none')
  const unknown = await crateText(describe(undefined))
  expect(unknown).not.toMatch(/states none|none stated/)
  expect(unknown).toContain('License not known')
})
