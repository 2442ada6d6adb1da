import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { readInventory } from '../../src/proof/ocfl/inventory.ts'

export const ID = 'doi:10.5072/FK2/GRIDS'

/** The files of each version of a dataset, by path. */
export type History = readonly Readonly<Record<string, string>>[]

const path = fc.stringMatching(/^[a-zé% ]{1,6}(?:\.csv)?$/u).filter((text) => text.trim() === text)
const contents = fc.dictionary(path, fc.constantFrom('', 'one', 'two', 'three', 'x'.repeat(5_000)), {
  maxKeys: 5,
  noNullPrototype: true,
})

/** Versions that follow one another always differ. */
export const histories: fc.Arbitrary<History> = fc
  .array(contents, { minLength: 1, maxLength: 5 })
  .map((versions) => versions.filter((one, at) => sorted(one) !== sorted(versions[at - 1])))
  .filter((versions) =>
    versions.every((one) => new Set(Object.keys(one).map((name) => name.normalize())).size === Object.keys(one).length),
  )

function sorted(version: History[number] = { '': '' }): string {
  return JSON.stringify(Object.entries(version).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What an object says a version is, read as any other program would: by the inventory alone. */
export async function restored(object: string, version: string): Promise<Record<string, string>> {
  const inventory = readInventory(await readFile(join(object, 'inventory.json')))
  const files: Record<string, string> = {}
  for (const [digest, paths] of Object.entries(inventory?.versions[version]?.state ?? {})) {
    const [content = ''] = inventory?.manifest[digest] ?? []
    const bytes = await readFile(join(object, content))
    const found = createHash(inventory?.digestAlgorithm ?? 'sha512')
      .update(bytes)
      .digest('hex')
    if (found !== digest) throw new Error(`${content} is not ${digest}`)
    for (const one of paths) files[one] = bytes.toString('utf8')
  }
  return files
}
