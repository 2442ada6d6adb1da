import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeMirror } from './behaviour.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'

const homeOf = mirrorHomes()
describeMirror('on disk', homeOf)

describe('a file that is in several versions', () => {
  let home: MirrorHome
  beforeEach(async () => {
    home = await homeOf()
  })
  afterEach(() => home.close())

  it('is one file with several names', async () => {
    const pid = 'doi:10.5072/FK2/A'
    home.repository.deposit(pid, [{ label: 'a.txt', content: 'alpha' }])
    home.repository.publish(pid, (files) => files)
    await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'root', '--versions', 'all')
    expect((await home.run()).code).toBe(0)
    const inode = async (path: string): Promise<number> => (await stat(join(home.destination, path))).ino
    expect(await inode('doi-10.5072-FK2-A/v1.0/a.txt')).toBe(await inode('doi-10.5072-FK2-A/v2.0/a.txt'))
  })
})
