import { afterEach, beforeEach, expect, it } from 'vitest'
import { mirrorHomes, type MirrorHome } from './home.ts'

const homeOf = mirrorHomes()
let home: MirrorHome
beforeEach(async () => {
  home = await homeOf()
  const scope = ['--collection', 'climate']
  expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)).code).toBe(0)
})
afterEach(() => home.close())

it('a dataset whose PID is none of a known kind keeps no other from being mirrored', async () => {
  home.repository.deposit('doi:10.5072/FK2/A', [{ label: 'a.txt', content: 'alpha' }], { collection: 'climate' })
  for (const pid of ['doi:10.5072', 'nonsense', 'doi:10.5072/FK2/A B', 'ark:/12345/x'])
    home.repository.deposit(pid, [{ label: 'a.txt', content: 'alpha' }], { collection: 'climate' })
  const { code, stdout } = await home.cli('mirror', 'run', 'm', '--to', home.destination)
  expect([code, stdout]).toEqual([0, expect.stringContaining('5 datasets new')])
  const folders = ['doi-10.5072-FK2-A', 'doi-10.5072', 'nonsense', 'doi-10.5072-FK2-A B', 'ark-12345-x']
  expect(await home.files()).toEqual(Object.fromEntries(folders.map((folder) => [`${folder}/a.txt`, 'alpha'])))
})
