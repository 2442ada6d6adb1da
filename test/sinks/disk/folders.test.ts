import { existsSync } from 'node:fs'
import { lstat, mkdir, open, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { queryObjects } from 'node:v8'
import { beforeEach, describe, expect, it } from 'vitest'
import { diskSink, type DiskSink } from '../../../src/sinks/disk/disk-sink.ts'
import {
  appendHashed,
  bytesOf,
  chunked,
  contentOf,
  digestOf,
  listing,
  never,
  proofOf,
  store,
} from '../../contracts/sink-bytes.ts'
import { deadProcess } from './dead-process.ts'
import { useDiskSink } from './use-disk-sink.ts'

describe('a disk sink', () => {
  const disk = useDiskSink()
  const { at, begin, inFolder } = disk
  let sink: DiskSink
  beforeEach(() => {
    sink = disk.sink
  })

  it('makes nothing for those who only look', async () => {
    await sink.stat('a', 'b1-0', never)
    await sink.free()
    await sink.records.read('b1/batch.json')
    await sink.records.readLog('b1/items.ndjson', 0, 10)
    expect(await sink.records.list('b1')).toEqual([])
    expect(await sink.records.folders()).toEqual([])
    expect(await listing(sink)).toEqual({})
    expect(existsSync(at(''))).toBe(false)
  })

  it('leaves nothing in .dataferry but what it was asked to keep', async () => {
    for (let n = 0; n < 5; n++) await store(sink, `deep/er/${n}`, bytesOf(n), { key: `b1-${n}` })
    await sink.close()
    expect((await readdir(at(''), { recursive: true })).sort()).toEqual(
      ['.dataferry', '.dataferry/marks', '.dataferry/parts', 'deep', 'deep/er']
        .concat([0, 1, 2, 3, 4].map((n) => `deep/er/${n}`))
        .sort(),
    )
  })

  it('keeps nothing of a log that was closed, in however many folders', async () => {
    const handle = await open(import.meta.filename)
    await handle.close()
    const alive = (): number => queryObjects(handle.constructor, { format: 'count' })
    const before = alive()
    for (let n = 0; n < 20; n++) await (await sink.records.appendTo(`b${n}/receipts/w.ndjson`)).close()
    expect(alive()).toBeLessThan(before + 10)
  })

  it('makes files with the rights that the umask leaves', async () => {
    await store(sink, 'a', bytesOf(10))
    await writeFile(at('plain'), '')
    expect((await lstat(at('a'))).mode).toBe((await lstat(at('plain'))).mode)
  })

  it.runIf(process.platform === 'linux')(
    'fails where the file system takes no folders, and does not wait',
    async () => {
      const nowhere = diskSink('/proc/nothing/here')
      await expect(store(nowhere, 'a', bytesOf(10))).rejects.toThrow('/proc/nothing')
      await nowhere.close()
    },
  )

  it('does not write through a link that leads out', async () => {
    await mkdir(inFolder('outside'))
    await mkdir(at(''))
    await symlink('../outside', at('link'))
    await expect(begin('link/a')).rejects.toMatchObject({ code: 'SINK_DENIED' })
    await expect(begin('link/deeper/a')).rejects.toMatchObject({ code: 'SINK_DENIED' })
    expect(await readdir(inFolder('outside'))).toEqual([])
  })

  it('does not write through a link that appears while it fetches', async () => {
    await mkdir(inFolder('outside'))
    await using stage = await begin('late/a')
    await stage.restart()
    await appendHashed(stage, chunked(bytesOf(100)))
    await symlink('../outside', at('late'))
    await expect(stage.commit(proofOf(bytesOf(100)))).rejects.toMatchObject({ code: 'SINK_DENIED' })
    expect(await readdir(inFolder('outside'))).toEqual([])
  })

  it('does not keep its own folder behind a link that leads out', async () => {
    await mkdir(inFolder('outside'))
    await mkdir(at(''))
    await symlink('../outside', at('.dataferry'))
    await expect(begin('a')).rejects.toMatchObject({ code: 'SINK_DENIED' })
    expect(await readdir(inFolder('outside'))).toEqual([])
  })

  it('writes through a link that stays inside, and may itself be behind a link', async () => {
    await mkdir(at('real'), { recursive: true })
    await symlink('real', at('link'))
    await symlink('data', inFolder('alias'))
    const alias = diskSink(inFolder('alias'))
    await store(alias, 'link/a', bytesOf(100))
    await alias.close()
    expect(digestOf(await contentOf(sink, 'real/a'))).toBe(digestOf(bytesOf(100)))
  })

  it('replaces a link at the very path, and not what it points to', async () => {
    await mkdir(at(''))
    await writeFile(inFolder('precious'), 'precious')
    await symlink('../precious', at('a'))
    await store(sink, 'a', bytesOf(100))
    expect((await lstat(at('a'))).isFile()).toBe(true)
    expect(await readFile(inFolder('precious'), 'utf8')).toBe('precious')
  })

  it('says so when a file is where a folder must be, before anything is fetched', async () => {
    await store(sink, 'a', bytesOf(10))
    await expect(begin('a/b')).rejects.toThrow(`${at('a')} must be a folder, but something else is there`)
    await expect(begin('a/b/c')).rejects.toMatchObject({ code: 'SINK_EXISTS' })
    expect(await sink.parts()).toEqual([])
  })

  it('says so when a folder is where the file must be, and keeps the bytes', async () => {
    await mkdir(at('a'), { recursive: true })
    {
      await using stage = await begin('a')
      await stage.restart()
      await appendHashed(stage, chunked(bytesOf(100)))
      await expect(stage.commit(proofOf(bytesOf(100)))).rejects.toMatchObject({ code: 'SINK_EXISTS' })
    }
    expect(await sink.parts()).toEqual([{ key: 'b1-0', size: 100, holder: 'free' }])
    await sink.forget('b1-0')
    expect(await sink.parts()).toEqual([])
  })

  // Another process moves the files of a mirror into objects, and removes the folders that they came to.
  it.each(['deep/er/b', 'deep/b', 'deep/er/and/er/b', 'deep/other/b'])(
    'makes the folders of %s again that somebody removed',
    async (path) => {
      await store(sink, 'deep/er/a', bytesOf(10))
      await rm(at('deep'), { recursive: true })
      await store(sink, path, bytesOf(20))
      expect(await listing(sink)).toEqual({ [path]: 20 })
    },
  )

  it('gives no proof for a file that was changed or replaced after commit', async () => {
    await store(sink, 'a', bytesOf(100, 1), { verified: 'size' })
    expect(await sink.stat('a', 'b1-0', never)).toMatchObject({ proof: { verified: 'size' } })
    await writeFile(at('other'), bytesOf(100, 2))
    await rename(at('other'), at('a'))
    expect(await sink.stat('a', 'b1-0', never)).toEqual({ size: 100, proof: undefined })
    await writeFile(at('.dataferry/marks/b1-0.json'), '{"torn":')
    expect(await sink.stat('a', 'b1-0', never)).toEqual({ size: 100, proof: undefined })
  })

  it('removes what a dead process was in the middle of', async () => {
    const dead = diskSink(at(''), { identity: await deadProcess() })
    const stuck = new Promise<never>(() => undefined)
    const writing = (async function* () {
      yield bytesOf(10)
      await stuck
    })()
    void dead.records.write('b1/report.json', writing)
    await expect.poll(() => readdir(at('.dataferry/parts'))).toContainEqual(expect.stringMatching(/\.tmp$/))
    await store(sink, 'a', bytesOf(10))
    const left = await readdir(at('.dataferry/parts'))
    expect(left.filter((name) => !name.endsWith('.alive'))).toEqual([])
    expect(left).toHaveLength(1)
    await dead.close()
  })

  it('lists files only, without following links', async () => {
    await store(sink, 'a/b', bytesOf(10))
    await symlink('..', at('a/loop'))
    await symlink('b', at('a/alias'))
    expect(await listing(sink)).toEqual({ 'a/b': 10 })
  })

  it('refuses heartbeats that would come too late', async () => {
    const hasty = diskSink(at(''), { heartbeatMs: 1000, staleMs: 1500 })
    await expect(hasty.parts()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
