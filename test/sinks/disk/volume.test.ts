import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { diskSink, type DiskSink } from '../../../src/sinks/disk/disk-sink.ts'
import { Volume } from '../../../src/sinks/disk/volume.ts'
import { contractHash } from '../../contracts/hash.ts'
import {
  appendHashed,
  bytesOf,
  chunked,
  contentOf,
  digestOf,
  itemAt,
  never,
  proofOf,
  store,
} from '../../contracts/sink-bytes.ts'
import { itWithMounts, PRIVATE_MOUNTS } from '../../mounts.ts'
import { SinkProcess } from './child-process.ts'
import { useDiskSink } from './use-disk-sink.ts'

const AWAY = { code: 'SINK_UNAVAILABLE', remedy: 'park' }
const BYTES = bytesOf(100_000)

describe('a destination on disk that goes away', () => {
  const disk = useDiskSink()
  const { inFolder: at, begin } = disk
  let sink: DiskSink
  beforeEach(() => {
    sink = disk.sink
  })

  it.each(['gone', 'an empty mount point'])('is unavailable as a whole, and not made anew: %s', async (what) => {
    await store(sink, 'before', bytesOf(10), { key: 'b1-9' })
    await using stage = await begin('deep/a')
    await stage.restart()
    await appendHashed(stage, chunked(BYTES))
    const log = await sink.records.appendTo('b1/receipts/w.ndjson')
    await log.close()

    await rename(at('data'), at('unmounted'))
    if (what !== 'gone') await mkdir(at('data'))
    await expect(stage.commit(proofOf(BYTES))).rejects.toMatchObject(AWAY)
    await expect(sink.stage({ key: 'b1-1', item: itemAt('x/y'), signal: never })).rejects.toMatchObject(AWAY)
    await expect(sink.records.write('b1/report.json', '{}')).rejects.toMatchObject(AWAY)
    await expect(sink.records.appendTo('b1/receipts/w.ndjson')).rejects.toMatchObject(AWAY)
    await expect(sink.check()).rejects.toMatchObject({
      ...AWAY,
      message: expect.stringContaining('mounted?') as unknown,
    })
    if (what !== 'gone') expect(await readdir(at('data'))).toEqual([])
    expect(await readdir(at(''))).toHaveLength(what === 'gone' ? 1 : 2)

    if (what !== 'gone') await rmdir(at('data'))
    await rename(at('unmounted'), at('data'))
    await sink.check()
    await stage.commit(proofOf(BYTES))
    expect(digestOf(await contentOf(sink, 'deep/a'))).toBe(digestOf(BYTES))
    await (await sink.records.appendTo('b1/receipts/w.ndjson')).close()
  })

  it.each(['gone', 'an empty mount point'])(
    'is not made anew by a process that only knew its records: %s',
    async (what) => {
      await sink.records.write('b1/batch.json', '{}')
      const known = diskSink(at('data'))
      expect(await known.records.read('b1/batch.json')).toBeDefined()
      await rename(at('data'), at('unmounted'))
      if (what !== 'gone') await mkdir(at('data'))
      const late = diskSink(at('data'))
      await expect(late.check()).rejects.toMatchObject(AWAY)
      await expect(known.stage({ key: 'b1-1', item: itemAt('x/y'), signal: never })).rejects.toMatchObject(AWAY)
      await expect(known.records.write('b1/plan.json', '{}')).rejects.toMatchObject(AWAY)
      await expect(known.records.appendTo('b1/items.ndjson')).rejects.toMatchObject(AWAY)
      if (what !== 'gone') expect(await readdir(at('data'))).toEqual([])
      expect(await readdir(at(''))).toHaveLength(what === 'gone' ? 1 : 2)
      if (what !== 'gone') await rmdir(at('data'))
      await rename(at('unmounted'), at('data'))
      await Promise.all([late.check(), store(known, 'x/y', BYTES)])
      await Promise.all([late.close(), known.close()])
    },
  )

  it('is unavailable where nothing may be made, from the first write on', async () => {
    // Even root may not make a folder in sysfs.
    const locked = diskSink('/sys/kernel')
    await expect(locked.stage({ key: 'b1-0', item: itemAt('a'), signal: never })).rejects.toMatchObject(AWAY)
    await expect(locked.records.write('b1/batch.json', '{}')).rejects.toMatchObject(AWAY)
    await expect(locked.check()).rejects.toMatchObject(AWAY)
    await locked.close()
  })

  it('keeps what a stage had when its folder came back', async () => {
    {
      await using stage = await begin('a')
      await stage.restart()
      await appendHashed(stage, chunked(BYTES))
      await rename(at('data'), at('away'))
    }
    await expect(begin('a')).rejects.toMatchObject(AWAY)
    await rename(at('away'), at('data'))
    await using stage = await begin('a')
    expect(await stage.resume(await contractHash(), never)).toBe(BYTES.length)
  })

  it('is not the fault of one path that cannot be, and the other way round', async () => {
    await store(sink, 'a', bytesOf(10))
    await expect(begin('a/b')).rejects.toMatchObject({ code: 'SINK_EXISTS' })
    await rm(at('data'), { recursive: true })
    await expect(begin('a/b')).rejects.toMatchObject(AWAY)
  })

  itWithMounts('is unavailable while it is read-only, and a single folder that is read-only denies', async () => {
    const mounted =
      'mount -t tmpfs none "$0" && mkdir "$0/locked" && mount -t tmpfs -o ro none "$0/locked" && exec "$@"'
    await using child = await SinkProcess.start(at(''), {}, [...PRIVATE_MOUNTS, mounted, at('')])
    const bring = async (key: string, path: string): Promise<string> => {
      const begun = await child.tell({ do: 'stage', key, path })
      if (begun !== 'done') return begun
      await child.tell({ do: 'append', bytes: 100, from: 0, to: 100 })
      const ended = await child.tell({ do: 'commit', bytes: 100 })
      await child.tell({ do: 'dispose' })
      return ended
    }
    expect(await bring('b1-0', 'a')).toBe('done')
    expect(await bring('b1-1', 'locked/deep/a')).toBe('SINK_DENIED')
    expect(await bring('b1-2', 'locked/a')).toBe('SINK_DENIED')
    expect(await child.tell({ do: 'run', command: 'mount', args: ['-o', 'remount,ro', at('')] })).toBe('done')
    expect(await bring('b1-3', 'b')).toBe('SINK_UNAVAILABLE')
    expect(await bring('b1-4', 'locked/deep/a')).toBe('SINK_UNAVAILABLE')
    expect(await child.tell({ do: 'check' })).toBe('SINK_UNAVAILABLE')
    expect(await child.tell({ do: 'run', command: 'mount', args: ['-o', 'remount,rw', at('')] })).toBe('done')
    expect(await child.tell({ do: 'check' })).toBe('done')
    expect(await bring('b1-3', 'b')).toBe('done')
  })
})

describe('what a call to the file system failed with', () => {
  const failed = (code: string): Error => Object.assign(new Error(`${code}: something, write`), { code })
  const volume = (whole?: Error) => new Volume('/data', () => (whole ? Promise.reject(whole) : Promise.resolve()))

  it.each([
    ['ENOSPC', 'SINK_FULL'],
    ['EDQUOT', 'SINK_FULL'],
    ['EACCES', 'SINK_DENIED'],
    ['EROFS', 'SINK_DENIED'],
    ['EFBIG', 'SINK_DENIED'],
    ['EIO', 'SINK_FAILED'],
    ['ESTALE', 'SINK_FAILED'],
  ])('%s is %s where the destination can be written', async (system, code) => {
    expect(await volume().explain(failed(system), 'write a')).toMatchObject({
      code,
      message: expect.stringContaining('Cannot write a') as unknown,
    })
  })

  it.each(['EROFS', 'EIO', 'ESTALE', 'ENODEV', 'ENOTCONN', 'EACCES', 'ENOENT', 'EMFILE'])(
    '%s is about all of the destination where that cannot be written',
    async (system) => {
      const found: unknown = await volume(failed(system)).explain(failed(system), 'write a')
      expect(found).toMatchObject(AWAY)
      expect(found).toMatchObject({ message: expect.stringMatching(/\/data|ulimit/) as unknown })
    },
  )

  it('is looked into once for all that fail at the same time', async () => {
    let looks = 0
    const counted = new Volume('/data', async () => {
      looks++
      await new Promise(setImmediate)
      throw failed('EROFS')
    })
    const found = await Promise.all(['a', 'b', 'c'].map((path) => counted.explain(failed('EROFS'), `write ${path}`)))
    expect(found).toMatchObject([AWAY, AWAY, AWAY])
    expect(looks).toBe(1)
  })

  it('says that space is lacking when that is what keeps the destination from being written', async () => {
    expect(await volume(failed('ENOSPC')).explain(failed('EIO'), 'write a')).toMatchObject({ code: 'SINK_FULL' })
  })

  it('leaves what the system did not report as it is', async () => {
    const ours = new Error('the reason of a signal')
    expect(await volume(failed('EROFS')).explain(ours, 'write a')).toBe(ours)
  })
})
