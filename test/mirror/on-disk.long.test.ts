import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeMirror } from './behaviour.ts'
import { mirrorHomes, type MirrorHome } from './home.ts'
import { describeOcflMirror } from './ocfl.ts'

const PID = 'doi:10.5072/FK2/A'

const homeOf = mirrorHomes()
describeMirror('on disk', homeOf)
describeOcflMirror('on disk', homeOf)

describe('a mirror in a folder', () => {
  let home: MirrorHome
  beforeEach(async () => {
    home = await homeOf()
  })
  afterEach(() => home.close())

  it('has one file with several names for what is in several versions', async () => {
    home.repository.deposit(PID, [{ label: 'a.txt', content: 'alpha' }])
    home.repository.publish(PID, (files) => files)
    await home.cli('mirror', 'create', 'm', '--to', home.destination, '--collection', 'root', '--versions', 'all')
    expect((await home.run()).code).toBe(0)
    const inode = async (path: string): Promise<number> => (await stat(join(home.destination, path))).ino
    expect(await inode('doi-10.5072-FK2-A/v1.0/a.txt')).toBe(await inode('doi-10.5072-FK2-A/v2.0/a.txt'))
  })
})
