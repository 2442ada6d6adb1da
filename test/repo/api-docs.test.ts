import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/errors.ts'

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

/** Making the page takes half a minute; that it was made after the last change of the names can be told at once. */
it('docs/api has every public name: `npm run docs:api` makes it', async () => {
  const page = await read('docs/api/README.md')
  const titles = [...page.matchAll(/^### (.+)$/gm)].map(([, title = '']) =>
    title.replace(/\(\)$/, '').replaceAll('\\', ''),
  )
  const names = (await read('test/repo/public-exports.txt')).trim().split('\n')
  expect(titles.sort()).toEqual(names.map((name) => name.replace(/^type /, '')).sort())
})

it('docs/api says of every error code what the code says', async () => {
  const page = await read('docs/api/README.md')
  const said = Object.values(ERROR_CODES).flatMap(({ meaning, advice }) => [meaning, advice])
  expect(said.filter((text) => !page.includes(text))).toEqual([])
})
