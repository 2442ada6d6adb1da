import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { diskSink, type DiskSink } from '../../../src/sinks/disk/disk-sink.ts'
import type { Stage } from '../../../src/sinks/sink.ts'
import { checksumOf, contractHash } from '../../contracts/hash.ts'
import {
  appendHashed,
  bytesOf,
  chunked,
  contentOf,
  digestOf,
  itemAt,
  listing,
  never,
  proofOf,
} from '../../contracts/sink-bytes.ts'
import { SinkProcess } from './child-process.ts'
import { temporaryFolder } from '../temporary-folder.ts'

const KEY = 'b1-7'
const PATH = 'data/a.bin'
const SIZE = 3_000_000
const BRISK = { heartbeatMs: 50, staleMs: 500 }
const bytes = bytesOf(SIZE)

describe('a part of another process', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  const sinks: DiskSink[] = []
  const children: SinkProcess[] = []
  beforeEach(async () => {
    folder = await temporaryFolder()
  })
  afterEach(async () => {
    for (const child of children.splice(0)) await child.kill()
    for (const sink of sinks.splice(0)) await sink.close()
    await folder[Symbol.asyncDispose]()
  })

  function here(times = {}): DiskSink {
    const sink = diskSink(folder.path, times)
    sinks.push(sink)
    return sink
  }

  async function startChild(times = {}): Promise<SinkProcess> {
    const child = await SinkProcess.start(folder.path, times)
    children.push(child)
    return child
  }

  /** A child that has written the first `count` bytes of its part. */
  async function childWith(count: number, times = {}): Promise<SinkProcess> {
    const child = await startChild(times)
    expect(await child.tell({ do: 'stage', key: KEY, path: PATH })).toBe('done')
    expect(await child.tell({ do: 'append', bytes: SIZE, from: 0, to: count })).toBe('done')
    return child
  }

  const stageOf = (sink: DiskSink): Promise<Stage> => sink.stage({ key: KEY, item: itemAt(PATH), signal: never })

  async function finish(sink: DiskSink, stage: Stage, expectedFrom: number): Promise<void> {
    const hash = await contractHash()
    expect(await stage.resume(hash, never)).toBe(expectedFrom)
    await appendHashed(stage, chunked(bytes.subarray(expectedFrom)), never, Promise.resolve(hash))
    expect(await hash.digest()).toBe(checksumOf(bytes).hex)
    await stage.commit(proofOf(bytes))
    expect(digestOf(await contentOf(sink, PATH))).toBe(digestOf(bytes))
  }

  it('is busy while that process lives', async () => {
    await childWith(1_000_000)
    await expect(stageOf(here())).rejects.toMatchObject({ code: 'SINK_BUSY' })
    expect(await here().parts()).toEqual([{ key: KEY, size: 1_000_000, holder: 'live' }])
  })

  it('is not dropped by forget while that process lives', async () => {
    const child = await childWith(SIZE)
    await here().forget(KEY)
    expect(await child.tell({ do: 'commit', bytes: SIZE })).toBe('done')
    expect(await listing(here())).toEqual({ [PATH]: SIZE })
  })

  it('is taken over at its last byte, at once, when that process was killed', async () => {
    const child = await childWith(1_234_567)
    await child.kill()
    const sink = here()
    expect(await sink.parts()).toEqual([{ key: KEY, size: 1_234_567, holder: 'dead' }])
    await using stage = await stageOf(sink)
    await finish(sink, stage, 1_234_567)
  })

  it('is fenced when that process is frozen, which then cannot commit', async () => {
    const child = await childWith(SIZE, BRISK)
    child.freeze()
    const sink = here(BRISK)
    await using stage = await takeWhenStale(sink)
    expect(await stage.resume(await contractHash(), never)).toBe(SIZE)
    child.wake()
    expect(await child.tell({ do: 'commit', bytes: SIZE })).toBe('SINK_BUSY')
    expect(await listing(sink)).toEqual({})
    await stage.commit(proofOf(bytes))
    expect(await child.tell({ do: 'commit', bytes: SIZE })).toBe('SINK_BUSY')
    expect(digestOf(await contentOf(sink, PATH))).toBe(digestOf(bytes))
  })

  it('is out of reach for that process when it wakes up and writes on', async () => {
    const child = await childWith(1_500_000, BRISK)
    child.freeze()
    const sink = here(BRISK)
    await using stage = await takeWhenStale(sink)
    const hash = await contractHash()
    expect(await stage.resume(hash, never)).toBe(1_500_000)
    child.wake()
    // Wrong bytes, into the file that it still has open; it may notice by itself that the part was lost.
    expect(await child.tell({ do: 'append', bytes: SIZE, from: 0, to: 70_000 })).toMatch(/^(done|SINK_BUSY)$/)
    await appendHashed(stage, chunked(bytes.subarray(1_500_000)), never, Promise.resolve(hash))
    expect(await hash.digest()).toBe(checksumOf(bytes).hex)
    await stage.commit(proofOf(bytes))
    expect(digestOf(await contentOf(sink, PATH))).toBe(digestOf(bytes))
  })

  it('stays fenced until it was copied, whoever comes next', async () => {
    const child = await childWith(1_500_000, BRISK)
    child.freeze()
    const first = await takeWhenStale(here(BRISK))
    await first[Symbol.asyncDispose]()
    const sink = here()
    const second = await stageOf(sink)
    const stop = new AbortController()
    const hash = await contractHash()
    const update = hash.update.bind(hash)
    hash.update = async (chunk) => {
      await update(chunk)
      stop.abort(new Error('stop'))
    }
    await expect(second.resume(hash, stop.signal)).rejects.toThrow('stop')
    await second[Symbol.asyncDispose]()
    child.wake()
    expect(await child.tell({ do: 'append', bytes: SIZE, from: 0, to: 70_000 })).toMatch(/^(done|SINK_BUSY)$/)
    await using third = await stageOf(sink)
    // The woken process may have added to the old file by now; what is copied is what is hashed.
    const copied = await contractHash()
    const from = await third.resume(copied, never)
    expect(from).toBeGreaterThanOrEqual(1_500_000)
    await third.restart()
    await finish(sink, third, 0)
  })

  it('can be begun anew when that process is frozen', async () => {
    const child = await childWith(1_500_000, BRISK)
    child.freeze()
    const sink = here(BRISK)
    await using stage = await takeWhenStale(sink)
    expect(await stage.restart()).toBe(0)
    child.wake()
    expect(await child.tell({ do: 'commit', bytes: 1_500_000 })).not.toBe('done')
    await finish(sink, stage, 0)
  })

  it('goes to exactly one of many that want it', async () => {
    for (let round = 0; round < 10; round++) {
      const rivals = [await startChildOnce(0), await startChildOnce(1), await startChildOnce(2)]
      const key = `race-${round}`
      const answers = await Promise.all(rivals.map((rival) => rival.tell({ do: 'stage', key, path: key })))
      expect(answers.slice().sort()).toEqual(['SINK_BUSY', 'SINK_BUSY', 'done'])
    }
  })

  it('goes to exactly one of many that find it left behind', async () => {
    for (let round = 0; round < 10; round++) {
      const key = `left-${round}`
      const sink = here()
      const stage = await sink.stage({ key, item: itemAt(key), signal: never })
      await appendHashed(stage, chunked(bytesOf(1000)))
      await stage[Symbol.asyncDispose]()
      const rivals = [await startChildOnce(0), await startChildOnce(1), await startChildOnce(2)]
      const answers = await Promise.all(rivals.map((rival) => rival.tell({ do: 'stage', key, path: key })))
      expect(answers.slice().sort()).toEqual(['SINK_BUSY', 'SINK_BUSY', 'done'])
    }
  })

  it('leaves nothing behind but the file, whatever happened before', async () => {
    const child = await childWith(1_500_000, BRISK)
    child.freeze()
    const sink = here(BRISK)
    const stage = await takeWhenStale(sink)
    await child.kill()
    await finish(sink, stage, 1_500_000)
    await sink.forget(KEY)
    await sink.close()
    const next = here()
    expect(await next.parts()).toEqual([])
    await next.close()
    expect(await readdir(join(folder.path, '.dataferry/parts'))).toEqual([])
    expect(await readdir(join(folder.path, '.dataferry/marks'))).toEqual([])
  })

  /** Asks again for as long as the other process counts as alive. */
  async function takeWhenStale(sink: DiskSink): Promise<Stage> {
    return vi.waitFor(() => stageOf(sink), { timeout: 120_000, interval: 50 })
  }

  async function startChildOnce(at: number): Promise<SinkProcess> {
    return children[at] ?? startChild()
  }
})
