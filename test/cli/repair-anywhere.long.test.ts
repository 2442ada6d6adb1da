import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { file } from '../mirror/file.ts'
import { mirrorHomes, type MirrorHome } from '../mirror/home.ts'
import { bucketPlace, folderPlace, type Place } from '../mirror/place.ts'
import { describeWithOneS3, type S3Server } from '../s3-server.ts'
import type { Ended } from './in-process.ts'

const A = 'doi:10.5072/FK2/A'
const PLACES = ['folders on disk', 'objects on disk', 'folders in a bucket', 'objects in a bucket'] as const
type PlaceName = (typeof PLACES)[number]

await describeWithOneS3('a repair', (kind) => {
  const homeOf = mirrorHomes()
  let server: S3Server
  let home: MirrorHome
  let places: Readonly<Record<PlaceName, Place>>
  const cli = (...args: readonly string[]): Promise<Ended> => home.with(places['folders in a bucket'].env, ...args)

  beforeAll(async () => {
    server = await kind.start()
    home = await homeOf()
    home.repository.deposit(A, [file('one.txt'), file('two.txt'), file('three.txt', 'three', 'sub')], {
      collection: 'climate',
    })
    places = {
      'folders on disk': folderPlace(join(home.folder, 'tree')),
      'objects on disk': folderPlace(join(home.folder, 'ocfl')),
      'folders in a bucket': await bucketPlace(server),
      'objects in a bucket': await bucketPlace(server),
    }
    for (const name of PLACES) {
      const to = ['--to', places[name].url]
      const layout = name.startsWith('objects') ? ['--layout', 'ocfl'] : []
      await cli('mirror', 'create', 'm', ...to, '--collection', 'climate', ...layout)
      expect(await cli('mirror', 'run', 'm', ...to)).toMatchObject({ code: 0 })
    }
  })
  afterAll(async () => {
    await home.close()
    await server.stop()
  })

  /** Removes one file, changes one bit of another; what was there. */
  async function damage(place: Place): Promise<Readonly<Record<string, string>>> {
    const before = await place.files()
    const pathOf = (content: string): string => Object.keys(before).find((path) => before[path] === content) ?? ''
    await place.remove(pathOf('one.txt'))
    await place.rot(pathOf('two.txt'), 'twO.txt')
    return before
  }

  async function expectRight(place: Place, before: Readonly<Record<string, string>>): Promise<void> {
    expect(await place.files()).toEqual(before)
    expect(await place.files('.dataferry/repair')).toEqual({})
    expect(await cli('verify', place.url)).toMatchObject({ code: 0 })
    expect(await cli('verify', place.url, '--quick')).toMatchObject({ code: 0 })
  }

  describe.each(PLACES)('of %s', (to) => {
    it.each(PLACES.filter((from) => from !== to))('takes what is wrong from a copy in %s', async (from) => {
      const place = places[to]
      const before = await damage(place)
      const { code, stdout, stderr } = await cli('repair', place.url, '--full', '--from', places[from].url)
      expect([code, stdout], stderr).toEqual([0, expect.stringContaining('2 files repaired')])
      await expectRight(place, before)
    })

    it('takes what is wrong from the server', async () => {
      const place = places[to]
      const before = await damage(place)
      const { code, stdout, stderr } = await cli('repair', place.url, '--full')
      expect([code, stdout], stderr).toEqual([0, expect.stringContaining('2 files repaired')])
      await expectRight(place, before)
    })
  })

  it('of an object takes its declaration and inventories from another object, and says what a copy in folders lacks', async () => {
    const place = places['objects on disk']
    const before = await place.files()
    const frame = Object.keys(before).filter((path) => /(?<!\/v1)\/(0=ocfl_object_1\.1|inventory\.json)$/.test(path))
    for (const path of frame) await place.remove(path)
    const folders = await cli('repair', place.url, '--from', places['folders on disk'].url)
    expect([folders.code, folders.stdout]).toEqual([1, expect.stringContaining('The copy has no such file')])
    const objects = await cli('repair', place.url, '--from', places['objects in a bucket'].url)
    expect([objects.code, objects.stdout]).toEqual([0, expect.stringContaining('repaired')])
    await expectRight(place, before)
  })
})
