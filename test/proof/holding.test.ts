import { expect, it } from 'vitest'
import { holdingName } from '../../src/proof/holding.ts'

it('a version has the name that Dataverse gives its bag', () => {
  expect(holdingName('doi:10.5072/FK2/ABC', '1.0')).toBe('doi-10-5072-FK2-ABCv-1-0')
})

it('different versions have different names, also where Dataverse would give them the same', () => {
  const long = `doi:10.5072/FK2/${'A'.repeat(200)}`
  const names = [
    ['doi:10.5072/FK2/A/B', '1.0'],
    ['doi:10.5072/FK2/A.B', '1.0'],
    ['doi:10.5072/FK2/A-B', '1.0'],
    [long, '1.0'],
    [long, '2.0'],
  ].map(([pid = '', version]) => holdingName(pid, version))
  expect(new Set(names).size).toBe(names.length)
  for (const name of names) expect(name).toMatch(/^[\w-]{1,150}$/)
})
