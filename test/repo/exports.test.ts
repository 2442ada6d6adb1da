import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import * as api from '../../src/index.ts'

const source = await readFile(new URL('../../src/index.ts', import.meta.url), 'utf8')

/** The names of `export { … } from` or `export type { … } from`. */
function names(kind: 'export' | 'export type'): string[] {
  const lists = [...source.matchAll(new RegExp(`^${kind} \\{([^}]*)\\}`, 'gm'))].map(([, list = '']) => list)
  return lists
    .flatMap((list) => list.split(',').map((name) => name.trim()))
    .filter(Boolean)
    .sort()
}

it('the public names are those of the list: adding one is a promise, taking one away breaks somebody', async () => {
  const lines = [...names('export'), ...names('export type').map((name) => `type ${name}`)]
  // `npx vitest run test/repo -u` writes the list anew; say so in CHANGELOG.md.
  await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('./public-exports.txt')
})

it('every public value is there, and nothing is exported but by name', () => {
  expect(Object.keys(api).sort()).toEqual(names('export'))
  expect(source).not.toMatch(/^export \*/m)
})
