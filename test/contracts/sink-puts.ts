import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Verified } from '../../src/model/receipt.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { checksumOf } from './hash.ts'
import { bytesOf, contentOf, digestOf, itemAt, listing, never, store } from './sink-bytes.ts'
import type { MakeSink, SinkUnderTest } from './sink.ts'

const PATH = 'data/a.bin'
const KEY = 'b1-7'

interface About {
  readonly path?: string
  readonly key?: string
  readonly verified?: Verified
  readonly signal?: AbortSignal
}

async function put(
  sink: Sink,
  bytes: Uint8Array,
  { path = PATH, key = KEY, verified = 'checksum', signal = never }: About = {},
): Promise<void> {
  await sink.put({ key, item: itemAt(path, bytes.length), signal }, bytes, { checksum: checksumOf(bytes), verified })
}

/** A small file that is verified in memory before any of it is written. */
export function describePuts(make: MakeSink): void {
  describe('a file that is put whole', () => {
    let place: SinkUnderTest
    beforeEach(async () => {
      place = await make()
    })
    afterEach(() => place.close())

    it.each([0, 1, 100_000, 1 << 20])('is there unchanged: %i bytes', async (size) => {
      await put(place.sink, bytesOf(size))
      expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytesOf(size)))
      expect(await place.sink.stat(PATH, KEY, never)).toMatchObject({ size })
      const next = await place.reopen()
      expect(await listing(next)).toEqual({ [PATH]: size })
    })

    it('takes the place of what was there', async () => {
      await store(place.sink, PATH, bytesOf(3000, 1))
      await put(place.sink, bytesOf(2000, 2))
      await put(place.sink, bytesOf(1000, 3))
      expect(digestOf(await contentOf(place.sink, PATH))).toBe(digestOf(bytesOf(1000, 3)))
    })

    it('does not take the place of what was put there after its own look', async () => {
      expect(await place.sink.stat(PATH, KEY, never)).toBeUndefined()
      const other = await place.reopen()
      await put(other, bytesOf(100, 1))
      await expect(put(place.sink, bytesOf(200, 2))).rejects.toMatchObject({ code: 'SINK_BUSY' })
      expect(digestOf(await contentOf(other, PATH))).toBe(digestOf(bytesOf(100, 1)))
      await place.sink.stat(PATH, KEY, never)
      await put(place.sink, bytesOf(200, 2))
      expect(digestOf(await contentOf(other, PATH))).toBe(digestOf(bytesOf(200, 2)))
    })

    it('waits for the open stage of its key', async () => {
      {
        await using stage = await place.sink.stage({ key: KEY, item: itemAt(PATH), signal: never })
        await stage.restart()
        await expect(put(place.sink, bytesOf(10))).rejects.toMatchObject({ code: 'SINK_BUSY' })
      }
      await put(place.sink, bytesOf(10))
    })

    it('leaves nothing beside it', async () => {
      await put(place.sink, bytesOf(1000))
      const next = await place.reopen()
      expect(await next.sweep(never)).toBe(0)
      expect(await next.records.folders()).toEqual([])
    })

    it.each(['size', 'structure', 'nothing'] as const)(
      'remembers that it was proved by %s, for the next process, until it is forgotten',
      async (verified) => {
        const bytes = bytesOf(1234)
        await put(place.sink, bytes, { verified })
        const proof = { checksum: checksumOf(bytes), size: 1234, verified }
        expect(await place.sink.stat(PATH, KEY, never)).toMatchObject({ size: 1234, proof })
        const next = await place.reopen()
        expect(await next.stat(PATH, KEY, never)).toMatchObject({ size: 1234, proof })
        await place.sink.forget(KEY)
        expect(digestOf(await contentOf(next, PATH))).toBe(digestOf(bytes))
      },
    )

    it('is written beside others, in folders new and old', async () => {
      const names = Array.from({ length: 60 }, (_, at) => `folder${at % 3}/deep/${at}`)
      await Promise.all(names.map((path, at) => put(place.sink, bytesOf(1000 + at, at), { path, key: `b1-${at}` })))
      expect(await listing(place.sink)).toEqual(Object.fromEntries(names.map((name, at) => [name, 1000 + at])))
    })

    it('fails alone where others of its moment succeed', async () => {
      await place.sink.stat('x/1', 'b1-1', never)
      await put(await place.reopen(), bytesOf(10), { path: 'x/1', key: 'b1-1' })
      const ends = await Promise.allSettled(
        [0, 1, 2].map((n) => put(place.sink, bytesOf(20 + n), { path: `x/${n}`, key: `b1-${n}` })),
      )
      expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(await listing(place.sink)).toEqual({ 'x/0': 20, 'x/1': 10, 'x/2': 22 })
    })

    it('is not begun once the signal says stop, nor under a name or key that leads elsewhere', async () => {
      const signal = AbortSignal.abort(new Error('too late'))
      await expect(put(place.sink, bytesOf(10), { signal })).rejects.toThrow('too late')
      for (const about of [{ path: '../up' }, { path: '.dataferry/x' }, { key: '../x' }])
        await expect(put(place.sink, bytesOf(10), about)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' })
      expect(await listing(place.sink)).toEqual({})
    })
  })
}
