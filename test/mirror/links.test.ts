import { linkSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { mirrorHomes, type MirrorHome } from './home.ts'

const A = 'doi:10.5072/FK2/A'
/** More than any file system lets a file have that counts them in 16 bits, as ext4 does (65,000). */
const MANY = 70_000

const homeOf = mirrorHomes()
let home: MirrorHome
afterEach(() => home.close())

it('a file that can have no more links is copied, and the run says so', { timeout: 60_000 }, async (context) => {
  home = await homeOf()
  home.repository.deposit(A, [{ label: 'a.txt', content: 'alpha' }], { collection: 'climate' })
  const scope = ['--collection', 'climate', '--versions', 'all']
  expect((await home.cli('mirror', 'create', 'm', '--to', home.destination, ...scope)).code).toBe(0)
  expect((await home.run()).report.files).toMatchObject({ fetched: 1, copied: 0 })
  const first = join(home.destination, 'doi-10.5072-FK2-A/v1.0/a.txt')
  const links = mkdtempSync(join(home.folder, 'links-'))
  if (!hasAllLinks(first, links)) return context.skip('files may have more links here than can be made in a test')
  home.repository.publish(A, (files) => files)
  const { code, stdout } = await home.cli('mirror', 'run', 'm', '--to', home.destination)
  expect([code, stdout]).toEqual([0, expect.stringContaining('1 file copied, as no more links are possible there')])
  const second = join(home.destination, 'doi-10.5072-FK2-A/v2.0/a.txt')
  expect(await home.files()).toMatchObject({ 'doi-10.5072-FK2-A/v2.0/a.txt': 'alpha' })
  expect(statSync(second).ino).not.toBe(statSync(first).ino)
  rmSync(links, { recursive: true })
  home.repository.publish(A, (files) => files)
  expect((await home.run()).report.files).toMatchObject({ fetched: 0, linked: 1, copied: 0 })
})

/** Gives a file links until it can have no more. @returns false: it could have more */
function hasAllLinks(file: string, folder: string): boolean {
  try {
    for (let n = 0; n < MANY; n++) linkSync(file, join(folder, String(n)))
    return false
  } catch (error) {
    expect(error).toMatchObject({ code: 'EMLINK' })
    return true
  }
}
