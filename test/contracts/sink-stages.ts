import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Stage } from '../../src/sinks/sink.ts'
import { checksumOf, contractHash } from './hash.ts'
import {
  appendHashed,
  bytesOf,
  chunked,
  contentOf,
  itemAt,
  listing,
  never,
  proofOf,
  store,
  digestOf,
} from './sink-bytes.ts'
import type { MakeSink, SinkTraits, SinkUnderTest } from './sink.ts'

const PATH = 'data/a.bin'
const KEY = 'b1-7'

export function describeStages(make: MakeSink, { mayLose, sizes }: Required<SinkTraits>): void {
  describe('a stage', () => {
    let place: SinkUnderTest
    beforeEach(async () => {
      place = await make()
    })
    afterEach(() => place.close())

    const open = (sink = place.sink): Promise<Stage> => sink.stage({ key: KEY, item: itemAt(PATH), signal: never })

    /** Keeps the first `count` bytes in a stage that is then interrupted. */
    async function interrupted(bytes: Buffer, count: number): Promise<void> {
      await using stage = await open()
      await stage.restart()
      const stop = new AbortController()
      const source = chunked(bytes, { stopAt: count, onStop: () => stop.abort(new Error('stop')), signal: stop.signal })
      await expect(appendHashed(stage, source, stop.signal)).rejects.toThrow('stop')
    }

    it.each(sizes)('brings %i bytes home unchanged', async (size) => {
      const bytes = bytesOf(size)
      await store(place.sink, PATH, bytes)
      expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytes))
      expect(await listing(place.sink)).toEqual({ [PATH]: size })
    })

    it('shows nothing before commit, and everything after', async () => {
      const bytes = bytesOf(5000)
      await using stage = await open()
      await stage.restart()
      await appendHashed(stage, chunked(bytes))
      expect(await place.sink.stat(PATH, KEY, never)).toBeUndefined()
      expect(await listing(place.sink)).toEqual({})
      await expect(place.sink.read(PATH, never)).rejects.toMatchObject({ code: 'SINK_FAILED' })
      await stage.commit(proofOf(bytes))
      expect(await place.sink.stat(PATH, KEY, never)).toMatchObject({ size: 5000 })
      expect(await listing(place.sink)).toEqual({ [PATH]: 5000 })
    })

    it('replaces what was there, in one step', async () => {
      await store(place.sink, PATH, bytesOf(3000, 1))
      await using stage = await open()
      await stage.restart()
      await appendHashed(stage, chunked(bytesOf(2000, 2)))
      expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytesOf(3000, 1)))
      await stage.commit(proofOf(bytesOf(2000, 2)))
      expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytesOf(2000, 2)))
    })

    it('goes on from what the first attempt kept, wherever that was interrupted', async () => {
      const size = Math.max(...sizes)
      const bytes = bytesOf(size)
      const cut = fc.integer({ min: 0, max: size })
      await fc.assert(
        fc.asyncProperty(cut, async (count) => {
          await interrupted(bytes, count)
          await using stage = await open()
          const hash = await contractHash()
          const from = await stage.resume(hash, never)
          expect(from).toBeLessThanOrEqual(count)
          expect(count - from).toBeLessThanOrEqual(mayLose)
          await appendHashed(stage, chunked(bytes.subarray(from)), never, Promise.resolve(hash))
          expect(await hash.digest()).toBe(checksumOf(bytes).hex)
          await stage.commit(proofOf(bytes))
          expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytes))
        }),
        { numRuns: 8 },
      )
    })

    it('feeds the hash exactly the bytes it counts', async () => {
      const bytes = bytesOf(Math.max(...sizes))
      const count = bytes.length - 1
      await interrupted(bytes, count)
      await using stage = await open()
      const hash = await contractHash()
      const from = await stage.resume(hash, never)
      expect(count - from).toBeLessThanOrEqual(mayLose)
      expect(await hash.digest()).toBe(checksumOf(bytes.subarray(0, from)).hex)
    })

    it('can resume within one stage, after an append that failed', async () => {
      const bytes = bytesOf(90_000)
      await using stage = await open()
      await stage.restart()
      const stop = new AbortController()
      const source = chunked(bytes, {
        stopAt: 80_000,
        onStop: () => stop.abort(new Error('stop')),
        signal: stop.signal,
      })
      await expect(appendHashed(stage, source, stop.signal)).rejects.toThrow('stop')
      const hash = await contractHash()
      const from = await stage.resume(hash, never)
      expect(80_000 - from).toBeLessThanOrEqual(mayLose)
      await appendHashed(stage, chunked(bytes.subarray(from)), never, Promise.resolve(hash))
      expect(await hash.digest()).toBe(checksumOf(bytes).hex)
      await stage.commit(proofOf(bytes))
      expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytes))
    })

    it('passes on the error of its source and keeps what came before', async () => {
      const bytes = bytesOf(50_000)
      await using stage = await open()
      await stage.restart()
      const broken = (): never => {
        throw new Error('the line broke')
      }
      await expect(appendHashed(stage, chunked(bytes, { stopAt: 40_000, onStop: broken }))).rejects.toThrow(
        'the line broke',
      )
      const from = await stage.resume(await contractHash(), never)
      expect(40_000 - from).toBeLessThanOrEqual(mayLose)
    })

    it('rejects with the reason of a signal that was aborted before', async () => {
      const signal = AbortSignal.abort(new Error('too late'))
      await expect(place.sink.stage({ key: KEY, item: itemAt(PATH), signal })).rejects.toThrow('too late')
      await using stage = await open()
      await expect(stage.resume(await contractHash(), signal)).rejects.toThrow('too late')
      await expect(appendHashed(stage, chunked(bytesOf(10)), signal)).rejects.toThrow('too late')
    })

    it('drops everything on restart', async () => {
      await interrupted(bytesOf(90_000, 1), 60_000)
      await using stage = await open()
      await stage.resume(await contractHash(), never)
      expect(await stage.restart()).toBe(0)
      expect(await stage.resume(await contractHash(), never)).toBe(0)
      await appendHashed(stage, chunked(bytesOf(30_000, 2)))
      await stage.commit(proofOf(bytesOf(30_000, 2)))
      expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytesOf(30_000, 2)))
    })

    it('refuses to publish another count of bytes than was proved', async () => {
      await using stage = await open()
      await stage.restart()
      await appendHashed(stage, chunked(bytesOf(999)))
      await expect(stage.commit(proofOf(bytesOf(1000)))).rejects.toMatchObject({ code: 'SINK_FAILED' })
      expect(await listing(place.sink)).toEqual({})
    })

    it('is the only one of its key', async () => {
      await using stage = await open()
      await expect(open()).rejects.toMatchObject({ code: 'SINK_BUSY' })
      await stage.restart()
      await using other = await place.sink.stage({ key: 'b1-8', item: itemAt('data/b.bin'), signal: never })
      await other.restart()
    })

    it('does not replace what was put there after its own look at the place', async () => {
      expect(await place.sink.stat(PATH, KEY, never)).toBeUndefined()
      const other = await place.reopen()
      await store(other, PATH, bytesOf(100, 1), { key: KEY })
      const late = store(place.sink, PATH, bytesOf(200, 2), { key: KEY })
      await expect(late).rejects.toMatchObject({ code: 'SINK_BUSY' })
      expect(digestOf(await contentOf(other, PATH))).toBe(digestOf(bytesOf(100, 1)))
      await place.sink.stat(PATH, KEY, never)
      await store(place.sink, PATH, bytesOf(200, 2), { key: KEY })
      expect(digestOf(await contentOf(other, PATH))).toBe(digestOf(bytesOf(200, 2)))
    })

    it('frees its key when it is committed or disposed', async () => {
      await store(place.sink, PATH, bytesOf(10), { key: KEY })
      await (await open())[Symbol.asyncDispose]()
      const stage = await open()
      await stage[Symbol.asyncDispose]()
      await stage[Symbol.asyncDispose]()
    })

    it('shows nothing when it is disposed without commit', async () => {
      await interrupted(bytesOf(70_000), 60_000)
      expect(await listing(place.sink)).toEqual({})
      expect(await place.sink.stat(PATH, KEY, never)).toBeUndefined()
    })

    it('is taken over by another process when its own has died', async () => {
      const bytes = bytesOf(90_000)
      // Left open on purpose: its process is dead by the time of `reopen`.
      const lost = await open()
      await lost.restart()
      await appendHashed(lost, chunked(bytes, { stopAt: 80_000 }))
      const next = await place.reopen()
      await using stage = await open(next)
      const hash = await contractHash()
      const from = await stage.resume(hash, never)
      expect(80_000 - from).toBeLessThanOrEqual(mayLose)
      await appendHashed(stage, chunked(bytes.subarray(from)), never, Promise.resolve(hash))
      expect(await hash.digest()).toBe(checksumOf(bytes).hex)
      await stage.commit(proofOf(bytes))
      expect(digestOf(await contentOf(next, PATH))).toBe(digestOf(bytes))
    })

    it('is disposed when its sink is closed, so that another live process goes on at once', async () => {
      const bytes = bytesOf(90_000)
      const [mine, other] = [await place.reopen(), await place.reopen()]
      const stage = await open(mine)
      await stage.restart()
      await appendHashed(stage, chunked(bytes, { stopAt: 80_000 }))
      await expect(open(other)).rejects.toMatchObject({ code: 'SINK_BUSY' })
      await mine.close()
      await using next = await open(other)
      expect(80_000 - (await next.resume(await contractHash(), never))).toBeLessThanOrEqual(mayLose)
    })

    it('leaves a part that is swept by its key, and no other', async () => {
      const bytes = bytesOf(Math.max(...sizes))
      for (const key of ['a-0', 'a-b-0']) {
        await using stage = await place.sink.stage({ key, item: itemAt(`of ${key}`), signal: never })
        await stage.restart()
        await appendHashed(stage, chunked(bytes))
      }
      expect(await place.sink.sweep(never, (key) => key === 'a-0')).toBe(1)
      expect(await place.sink.sweep(never, (key) => key === 'a-0')).toBe(0)
      expect(await place.sink.sweep(never)).toBe(1)
    })

    it('cannot commit after it was taken over', async () => {
      const lost = await open()
      await lost.restart()
      await appendHashed(lost, chunked(bytesOf(1000, 1)))
      const next = await place.reopen()
      await using stage = await open(next)
      await stage.restart()
      await expect(lost.commit(proofOf(bytesOf(1000, 1)))).rejects.toMatchObject({ code: 'SINK_BUSY' })
      expect(await listing(next)).toEqual({})
      await appendHashed(stage, chunked(bytesOf(2000, 2)))
      await stage.commit(proofOf(bytesOf(2000, 2)))
      await lost[Symbol.asyncDispose]()
      expect(digestOf(await contentOf(next, PATH))).toBe(digestOf(bytesOf(2000, 2)))
    })
  })
}
