import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { contractHash } from './hash.ts'
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
import type { MakeSink, SinkUnderTest } from './sink.ts'

const ODD_NAMES: readonly string[] = [
  'plain.txt',
  'with spaces  and (brackets).csv',
  'Größe – naïve/日本語/файл.tab',
  'e\u0301 decomposed.txt',
  '😀.bin',
  `quotes ' " \`.txt`,
  'a?b*c:d|e<f>g&h=i+j%20#k.txt',
  '.hidden/.file',
  '-rf',
  ' leading and trailing ',
  'dots...',
  `${'n'.repeat(251)}.txt`,
  `${'é'.repeat(127)}x`,
  Array.from({ length: 40 }, (_, depth) => `level${depth}`).join('/'),
]
const BAD_NAMES: readonly string[] = [
  '',
  '/abs',
  '../up',
  'a/../../b',
  'a//b',
  'a/',
  './a',
  'a/.',
  'nul\0',
  '.dataferry/x',
]

export function describeFiles(make: MakeSink): void {
  describe('committed files', () => {
    let place: SinkUnderTest
    beforeEach(async () => {
      place = await make()
    })
    afterEach(() => place.close())

    it('move, also to a place that a mirror keeps aside and back, and replace what is there', async () => {
      const aside = '.dataferry/mirrors/m/superseded/d/v1.0/a.txt'
      await store(place.sink, 'd/a.txt', bytesOf(5), { key: 'b1-1' })
      await store(place.sink, 'e/b.txt', bytesOf(7), { key: 'b1-2' })
      expect(await place.sink.move('d/a.txt', aside, never)).toBe(true)
      expect(await listing(place.sink)).toEqual({ 'e/b.txt': 7 })
      expect((await place.sink.stat(aside, 'b1-1', never))?.size).toBe(5)
      expect(await listing(place.sink, '.dataferry/mirrors/m/superseded')).toEqual({ [aside]: 5 })
      expect(digestOf(await contentOf(place.sink, aside))).toBe(digestOf(bytesOf(5)))
      expect(await place.sink.move(aside, 'e/b.txt', never)).toBe(true)
      expect(await listing(place.sink)).toEqual({ 'e/b.txt': 5 })
      expect(await place.sink.move('d/a.txt', 'e/b.txt', never)).toBe(false)
      expect(await listing(place.sink)).toEqual({ 'e/b.txt': 5 })
    })

    it('get a further path by a link, and keep it when the first one goes', async () => {
      await store(place.sink, 'v1/a.txt', bytesOf(9), { key: 'b1-1' })
      for (let again = 0; again < 2; again++) {
        expect(await place.sink.link('v1/a.txt', 'v2/x/a.txt', never)).toBe('linked')
      }
      expect(await place.sink.link('v1/none', 'v2/none', never)).toBeUndefined()
      expect(await listing(place.sink)).toEqual({ 'v1/a.txt': 9, 'v2/x/a.txt': 9 })
      await place.sink.remove('v1/a.txt')
      await place.sink.remove('v1/a.txt')
      expect(digestOf(await contentOf(place.sink, 'v2/x/a.txt'))).toBe(digestOf(bytesOf(9)))
      expect(await listing(place.sink)).toEqual({ 'v2/x/a.txt': 9 })
    })

    it('go nowhere within .dataferry but where mirrors keep files', async () => {
      await store(place.sink, 'a', bytesOf(1), { key: 'b1-1' })
      for (const bad of [
        ...BAD_NAMES,
        '.dataferry/b1/x',
        '.dataferry/mirrors/m/runs/x',
        '.dataferry/mirrors/m/moving/../x',
      ]) {
        await expect(place.sink.move('a', bad, never)).rejects.toThrow(/.+/)
        await expect(place.sink.link(bad, 'b', never)).rejects.toThrow(/.+/)
      }
    })

    it('have the names they were given, however odd', async () => {
      for (const [at, name] of ODD_NAMES.entries()) await store(place.sink, name, bytesOf(at + 1), { key: `b1-${at}` })
      expect(await listing(place.sink)).toEqual(Object.fromEntries(ODD_NAMES.map((name, at) => [name, at + 1])))
      for (const [at, name] of ODD_NAMES.entries())
        expect(digestOf(await contentOf(place.sink, name))).toBe(digestOf(bytesOf(at + 1)))
    })

    it.each(BAD_NAMES)('are refused when the name leads elsewhere: %j', async (name) => {
      const refused = { code: 'ARGUMENT_INVALID' }
      await expect(place.sink.stage({ key: 'b1-0', item: itemAt(name), signal: never })).rejects.toMatchObject(refused)
      await expect(place.sink.stat(name, 'b1-0', never)).rejects.toMatchObject(refused)
      await expect(place.sink.read(name, never)).rejects.toMatchObject(refused)
    })

    it.each(['', '.', '..', 'a/b', '../x', '.hidden', 'a b'])(
      'are refused when the key is not a plain one: %j',
      async (key) => {
        await expect(place.sink.stage({ key, item: itemAt('a'), signal: never })).rejects.toMatchObject({
          code: 'ARGUMENT_INVALID',
        })
      },
    )

    it('are not there until they are', async () => {
      expect(await place.sink.stat('none', 'b1-0', never)).toBeUndefined()
      expect(await place.sink.stat('none/at/all', 'b1-0', never)).toBeUndefined()
      await expect(place.sink.read('none', never)).rejects.toMatchObject({ code: 'SINK_FAILED' })
      expect(await listing(place.sink)).toEqual({})
    })

    it.each(['size', 'structure', 'nothing'] as const)(
      'remember what was proved by %s, for the next process',
      async (verified) => {
        const bytes = bytesOf(1234)
        await store(place.sink, 'a/b.zip', bytes, { key: 'b1-3', verified })
        const remembered = { size: 1234, proof: proofOf(bytes, verified) }
        expect(await place.sink.stat('a/b.zip', 'b1-3', never)).toMatchObject(remembered)
        const next = await place.reopen()
        expect(await next.stat('a/b.zip', 'b1-3', never)).toMatchObject(remembered)
      },
    )

    it('lend their proof to no other bytes', async () => {
      await store(place.sink, 'a', bytesOf(500, 1), { key: 'b1-1', verified: 'size' })
      await store(place.sink, 'a', bytesOf(500, 2), { key: 'b1-2', verified: 'size' })
      const { proof } = (await place.sink.stat('a', 'b1-1', never)) ?? {}
      // A sink that keeps the proof with the file may tell it for any key, and then it is that of the newer bytes.
      const newer = proofOf(bytesOf(500, 2), 'size')
      expect([undefined, newer, { ...newer, key: 'b1-2' }]).toContainEqual(proof)
    })

    it('stay when their key is forgotten, and parts go', async () => {
      await store(place.sink, 'kept', bytesOf(100), { key: 'b1-1', verified: 'size' })
      {
        await using stage = await place.sink.stage({ key: 'b1-2', item: itemAt('dropped'), signal: never })
        await stage.restart()
        await appendHashed(stage, chunked(bytesOf(90_000)))
      }
      for (const key of ['b1-1', 'b1-2', 'b1-2', 'never-seen']) await place.sink.forget(key)
      expect(digestOf(await contentOf(place.sink, 'kept'))).toBe(digestOf(bytesOf(100)))
      await using stage = await place.sink.stage({ key: 'b1-2', item: itemAt('dropped'), signal: never })
      expect(await stage.resume(await contractHash(), never)).toBe(0)
    })

    it('are written side by side', async () => {
      const names = Array.from({ length: 24 }, (_, at) => `folder${at % 3}/deep/${at}`)
      await Promise.all(names.map((name, at) => store(place.sink, name, bytesOf(1000 + at, at), { key: `b1-${at}` })))
      expect(await listing(place.sink)).toEqual(Object.fromEntries(names.map((name, at) => [name, 1000 + at])))
    })

    it('can be read twice, and left in the middle', async () => {
      await store(place.sink, 'a', bytesOf(3_000_000))
      const half = await place.sink.read('a', never)
      for await (const chunk of half) {
        expect(chunk).toBeInstanceOf(Uint8Array)
        break
      }
      const unread = await place.sink.read('a', never)
      unread.destroy()
      expect(digestOf(await contentOf(place.sink, 'a'))).toBe(digestOf(bytesOf(3_000_000)))
    })

    it('are not listed once the signal says stop', async () => {
      await store(place.sink, 'a', bytesOf(10))
      const stopped = place.sink.list(AbortSignal.abort(new Error('stop')))[Symbol.asyncIterator]()
      await expect(stopped.next()).rejects.toThrow('stop')
    })

    it('have a place that can be tried, which leaves nothing in it', async () => {
      await store(place.sink, 'a', bytesOf(10))
      await Promise.all([place.sink.check(), place.sink.check()])
      expect(await listing(place.sink)).toEqual({ a: 10 })
      expect(await place.sink.records.folders()).toEqual([])
    })

    it('have room, as far as anybody knows', async () => {
      const free = await place.sink.free()
      expect(free === undefined || free > 0).toBe(true)
    })
  })
}
