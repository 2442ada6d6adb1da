import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataferryError } from '../../../src/errors.ts'
import { sinkError } from '../../../src/sinks/disk/errors.ts'
import { diskSink } from '../../../src/sinks/disk/disk-sink.ts'
import { checksumOf, contractHash } from '../../contracts/hash.ts'
import { appendHashed, bytesOf, chunked, itemAt, listing, never, proofOf } from '../../contracts/sink-bytes.ts'
import { itWithMounts, PRIVATE_MOUNTS } from '../../mounts.ts'
import { SinkProcess } from './child-process.ts'
import { temporaryFolder } from '../temporary-folder.ts'

const SIZE = 3_000_000
const bytes = bytesOf(SIZE)

describe('limits of a disk', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(() => folder[Symbol.asyncDispose]())

  const stageAt = (key: string, size?: number) => {
    const sink = diskSink(folder.path)
    return sink.stage({ key, item: itemAt('a', size), signal: never })
  }

  it('are met before a file is begun that cannot fit', async () => {
    const sink = diskSink(folder.path)
    const item = itemAt('a', Number.MAX_SAFE_INTEGER)
    await expect(sink.stage({ key: 'b1-0', item, signal: never })).rejects.toMatchObject({ code: 'SINK_FULL' })
    expect(await sink.parts()).toEqual([])
    await sink.close()
  })

  it('cost no byte that was written before a write failed', async () => {
    // 1 MiB in units of 1,024 bytes, set by the shell for the process that it becomes.
    const limited = ['bash', '-c', 'ulimit -f 1024; exec "$@"', 'limited']
    await using child = await SinkProcess.start(folder.path, {}, limited)
    expect(await child.tell({ do: 'stage', key: 'b1-0', path: 'a' })).toBe('done')
    expect(await child.tell({ do: 'append', bytes: SIZE, from: 0, to: SIZE })).toBe('SINK_DENIED')
    await child.kill()
    await using stage = await stageAt('b1-0')
    const hash = await contractHash()
    const from = await stage.resume(hash, never)
    expect(from).toBe(1024 * 1024)
    await appendHashed(stage, chunked(bytes.subarray(from)), never, Promise.resolve(hash))
    expect(await hash.digest()).toBe(checksumOf(bytes).hex)
    await stage.commit(proofOf(bytes))
    expect(await listing(diskSink(folder.path))).toEqual({ a: SIZE })
  })

  it('are told apart by their codes, as the system reports them', async () => {
    // Every write to this device fails for lack of space. @see full(4)
    const full = await writeFile('/dev/full', 'x').catch((error: unknown) => sinkError(error, 'write a'))
    expect(full).toBeInstanceOf(DataferryError)
    expect(full).toMatchObject({ code: 'SINK_FULL' })
    expect(String(full)).toContain('Cannot write a')
    const ours = new Error('the reason of a signal')
    expect(sinkError(ours, 'write a')).toBe(ours)
  })

  // The same promises on a file system that is really full; the tests above run where no mount is allowed.
  itWithMounts('are a full disk that a part survives, and that takes the file once there is room', async () => {
    const fill = 'mount -t tmpfs -o size=4m none "$0" && head -c 2m /dev/zero > "$0/filler" && exec "$@"'
    await using child = await SinkProcess.start(folder.path, {}, [...PRIVATE_MOUNTS, fill, folder.path])
    expect(await child.tell({ do: 'stage', key: 'b1-0', path: 'a' })).toBe('done')
    expect(await child.tell({ do: 'append', bytes: SIZE, from: 0, to: SIZE })).toBe('SINK_FULL')
    expect(await child.tell({ do: 'finish', bytes: SIZE })).toBe('SINK_FULL')
    expect(await child.tell({ do: 'remove', file: join(folder.path, 'filler') })).toBe('done')
    expect(await child.tell({ do: 'finish', bytes: SIZE })).toBe('done')
  })
})
