import { spawnSync } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { diskSink } from '../../../src/sinks/disk/disk-sink.ts'
import { bytesOf, contentOf } from '../../contracts/sink-bytes.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { SinkProcess } from './child-process.ts'

/** Has the first `fdatasync` of a process fail as it does on a disk with bad sectors; strace counts by thread, so there is one. */
const FAILING_SYNC = [
  'env',
  'UV_THREADPOOL_SIZE=1',
  'strace',
  '-f',
  '-qq',
  '-o',
  '/dev/null',
  '-e',
  'trace=fdatasync',
  '-e',
  'inject=fdatasync:error=EIO:when=1',
]
const canInject = spawnSync('env', [...FAILING_SYNC.slice(1), 'true']).status === 0
const name = 'a part whose sync failed is written anew before it is published, as its pages may be lost'

const work = async (): Promise<void> => {
  await using folder = await temporaryFolder()
  await using child = await SinkProcess.start(folder.path, {}, FAILING_SYNC)
  const parts = join(folder.path, '.dataferry/parts/b1-0')
  const SIZE = 300_000
  expect(await child.tell({ do: 'stage', key: 'b1-0', path: 'a' })).toBe('done')
  expect(await child.tell({ do: 'append', bytes: SIZE, from: 0, to: SIZE })).toBe('done')
  expect(await child.tell({ do: 'commit', bytes: SIZE })).toBe('SINK_FAILED')
  const [part = ''] = await readdir(parts)
  expect(part).toMatch(/\.fenced$/)
  const { ino } = await stat(join(parts, part))
  expect(await child.tell({ do: 'dispose' })).toBe('done')
  expect(await readdir(parts)).toEqual(['free.fenced'])
  expect(await child.tell({ do: 'stage', key: 'b1-0', path: 'a' })).toBe('done')
  expect(await child.tell({ do: 'finish', bytes: SIZE })).toBe('done')
  expect((await stat(join(folder.path, 'a'))).ino).not.toBe(ino)
  const sink = diskSink(folder.path)
  expect((await contentOf(sink, 'a')).equals(bytesOf(SIZE))).toBe(true)
  await sink.close()
}

if (canInject) it(name, work)
else it.skip(`${name}: SKIPPED, as strace, which makes a sync fail, is not there or not allowed`, work)
