import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import type { Ref } from '../../src/model/item.ts'
import { afterCounting } from '../../src/model/source.ts'
import { readFrom, type ReadOptions } from '../../src/transfer/resuming-reader.ts'
import { bytesOf, collect, never } from '../contracts/sink-bytes.ts'
import { AT_ONCE, broken, scriptedSource, type ScriptedSource, type Step } from './scripted-source.ts'

const FILE: Ref = { kind: 'file', file: 1, format: 'original' }
const BYTES = bytesOf(10_000)

function read(source: ScriptedSource, from = 0, options: Partial<ReadOptions> = {}, ref = FILE): Promise<Buffer> {
  const all: ReadOptions = { signal: never, expectedSize: undefined, count: true, reconnect: AT_ONCE, ...options }
  return collect(readFrom(source.open, ref, from, all))
}

describe('reading a source', () => {
  it('goes on at the byte, wherever connections break, whether the range is honoured or ignored', async () => {
    const step = fc.record({ cutAfter: fc.integer({ min: 1, max: 4000 }), ignoreRange: fc.boolean() })
    const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), sizes, fc.nat(9_999), async (steps, chunks, from) => {
        const source = scriptedSource(BYTES, steps, chunks)
        const answers = await read(source, from, { reconnect: { ...AT_ONCE, retries: 8 } })
        expect(answers.equals(BYTES.subarray(from))).toBe(true)
        expect(source.asked[0]?.from).toBe(from)
        expect(source.closed()).toBe(source.asked.length)
      }),
      { numRuns: 60 },
    )
  })

  it('drops the surplus when the server starts earlier than asked', async () => {
    const source = scriptedSource(BYTES, [{ cutAfter: 3000 }, { ignoreRange: true }])
    expect((await read(source)).equals(BYTES)).toBe(true)
    expect(source.asked.map(({ from }) => from)).toEqual([0, 3000])
  })

  it('refuses an answer that starts later than asked', async () => {
    const late = Array.from({ length: 4 }, () => ({ shift: 10 }))
    const source = scriptedSource(BYTES, [{ cutAfter: 3000 }, ...late])
    await expect(read(source)).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    expect(source.asked).toHaveLength(5)
    expect(source.closed()).toBe(5)
  })

  it.each<[string, Step]>([
    ['size', { size: 10_001 }],
    ['validator', { etag: '"b"' }],
  ])('never joins two halves whose %s differs', async (_, second) => {
    const source = scriptedSource(BYTES, [{ cutAfter: 3000, etag: '"a"' }, second])
    await expect(read(source)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' })
    expect(source.asked).toHaveLength(2)
    expect(source.closed()).toBe(2)
  })

  it('gives up after so many connections in a row without a byte', async () => {
    const nothing: Step[] = [{ refuse: broken() }, { cutAfter: 0 }, { endAfter: 0 }, { refuse: broken() }]
    const source = scriptedSource(BYTES, [{ cutAfter: 3000 }, ...nothing])
    await expect(read(source)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(source.asked).toHaveLength(5)
  })

  it('does not count what was there already as a new byte', async () => {
    const again: Step[] = Array.from({ length: 9 }, () => ({ ignoreRange: true, cutAfter: 2000 }))
    const source = scriptedSource(BYTES, [{ cutAfter: 3000 }, ...again])
    await expect(read(source)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(source.asked).toHaveLength(5)
  })

  it('goes on as long as each connection brings a byte', async () => {
    const step = [{ refuse: broken() }, { cutAfter: 0 }, { cutAfter: 1 }]
    const source = scriptedSource(BYTES.subarray(0, 40), Array.from({ length: 39 }, () => step).flat())
    expect((await read(source)).equals(BYTES.subarray(0, 40))).toBe(true)
    expect(source.asked).toHaveLength(39 * 3 + 1)
  })

  it('does not try again what cannot help', async () => {
    const denied = new DataferryError('SOURCE_DENIED', 'No.')
    const source = scriptedSource(BYTES, [{ cutAfter: 3000 }, { refuse: denied }])
    await expect(read(source)).rejects.toBe(denied)
    expect(source.asked).toHaveLength(2)
  })

  it('takes an early end for a break when the size is known', async () => {
    const source = scriptedSource(BYTES, [{ endAfter: 3000 }])
    expect((await read(source)).equals(BYTES)).toBe(true)
    expect(source.asked.map(({ from }) => from)).toEqual([0, 3000])
  })

  it('takes the end for the end when the size is unknown', async () => {
    expect(await read(scriptedSource(BYTES, [{ endAfter: 3000, size: null }]))).toHaveLength(3000)
  })

  it('refuses a whole that ends before the place to go on from, even of unknown size', async () => {
    const short: Step = { bytes: BYTES.subarray(0, 100), ignoreRange: true, size: null }
    const source = scriptedSource(BYTES, [{ cutAfter: 3000, size: null }, short, short, short, short])
    await expect(read(source)).rejects.toMatchObject({ code: 'SHORT_BODY' })
  })

  it('never goes on with an archive, as each request makes it anew', async () => {
    const source = scriptedSource(BYTES, [{ cutAfter: 3000, size: null }])
    const zip: Ref = { kind: 'zip', files: [1, 2], format: 'original' }
    await expect(read(source, 0, {}, zip)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    expect(source.asked).toHaveLength(1)
  })

  it('asks nothing when everything is there', async () => {
    const source = scriptedSource(BYTES)
    expect(await read(source, 10_000, { expectedSize: 10_000 })).toHaveLength(0)
    expect(source.asked).toHaveLength(0)
  })

  it('has a download counted by the request that brings the last byte, where the server sends the bytes itself', async () => {
    const source = scriptedSource(BYTES, [{ refuse: broken() }, { cutAfter: 0 }, { cutAfter: 5 }])
    await read(source)
    expect(source.asked.map(({ count }) => count)).toEqual([true, true, true, true])
  })

  it('has a download counted by the first link to a store', async () => {
    const stored = { counted: true }
    const source = scriptedSource(BYTES, [{ refuse: broken() }, { ...stored, cutAfter: 0 }, { ...stored, cutAfter: 5 }])
    await read(source)
    expect(source.asked.map(({ count }) => count)).toEqual([true, true, false, false])
  })

  it('asks uncounted what an earlier request may have counted, and anew where that one was not', async () => {
    const store = scriptedSource(BYTES, [{ counted: true }])
    await read(store, 4000, { count: 'if-unfinished' })
    expect(store.asked.map(({ count }) => count)).toEqual([false])
    const server = scriptedSource(BYTES, [{ refuse: broken() }, {}, { cutAfter: 5 }])
    expect(await read(server, 4000, { count: 'if-unfinished' })).toHaveLength(6000)
    expect(server.asked.map(({ from, count }) => [from, count])).toEqual([
      [4000, false],
      [4000, false],
      [4000, true],
      [4005, true],
    ])
    expect(server.closed()).toBe(3)
  })

  it('counts nothing again when the store that a counted link led to fails', async () => {
    const source = scriptedSource(BYTES, [{ refuse: broken() }, { refuse: afterCounting(broken()) }])
    await read(source)
    expect(source.asked.map(({ count }) => count)).toEqual([true, true, false])
  })

  it('counts nothing that was counted', async () => {
    const later = scriptedSource(BYTES)
    await read(later, 0, { count: false })
    expect(later.asked.map(({ count }) => count)).toEqual([false])
  })

  it('closes the connection when its reader leaves', async () => {
    const source = scriptedSource(BYTES)
    const options = { signal: never, expectedSize: undefined, count: true, reconnect: AT_ONCE }
    for await (const chunk of readFrom(source.open, FILE, 0, options)) if (chunk.length > 1) break
    expect(source.closed()).toBe(1)
  })

  it('closes a connection that is there the moment it is stopped', async () => {
    const stop = new AbortController()
    const reason = new DataferryError('INTERRUPTED', 'Stop.')
    const source = scriptedSource(BYTES)
    const open: ScriptedSource['open'] = async (...request) => {
      const opened = await source.open(...request)
      async function* stopped(): AsyncGenerator<Uint8Array> {
        for await (const chunk of opened.body) {
          stop.abort(reason)
          yield chunk
        }
      }
      return { ...opened, body: stopped() }
    }
    await expect(read({ ...source, open }, 0, { signal: stop.signal })).rejects.toBe(reason)
    expect(source.closed()).toBe(1)
  })

  it('ends with the reason of the signal, and not with a break that came of it', async () => {
    const stop = new AbortController()
    const reason = new DataferryError('INTERRUPTED', 'Stop.')
    const source = scriptedSource(BYTES, [{ cutAfter: 3000, then: () => stop.abort(reason) }])
    await expect(read(source, 0, { signal: stop.signal })).rejects.toBe(reason)
    expect(source.asked).toHaveLength(1)
  })
})
