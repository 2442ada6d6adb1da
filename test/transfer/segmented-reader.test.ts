import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import type { Ref } from '../../src/model/item.ts'
import { StreamRevoked } from '../../src/model/source.ts'
import { SegmentedReader, type SegmentOptions } from '../../src/transfer/segmented-reader.ts'
import { bytesOf, never } from '../contracts/sink-bytes.ts'
import { AT_ONCE, broken, scriptedSource, type ScriptedSource, type Step } from './scripted-source.ts'

const FILE: Ref = { kind: 'file', file: 1, format: 'original' }
const SIZE = 50_000
const BYTES = bytesOf(SIZE)
/** Pieces of 2,000 bytes. */
const AHEAD = 8_000
const OPTIONS: SegmentOptions = {
  signal: never,
  expectedSize: SIZE,
  count: true,
  continuable: true,
  reconnect: { ...AT_ONCE, retries: 1 },
  segments: 4,
  ahead: AHEAD,
  enough: AHEAD,
  restMs: 0,
}
const STORE: Step = { stored: true, turns: 1 }
const CHUNKS = [500, 700, 33]

interface Read {
  readonly bytes: Buffer
  readonly error?: unknown
  readonly mostAhead: number
}

/** Reads to the end or to the error that ends it. */
async function read({ open }: ScriptedSource, from = 0, options: Partial<SegmentOptions> = {}): Promise<Read> {
  const reader = new SegmentedReader(open, FILE, { ...OPTIONS, ...options })
  const chunks: Buffer[] = []
  let mostAhead = 0
  try {
    for await (const chunk of reader.read(from)) {
      mostAhead = Math.max(mostAhead, reader.ahead)
      chunks.push(Buffer.from(chunk))
    }
    return { bytes: Buffer.concat(chunks), mostAhead }
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error, mostAhead }
  }
}

describe('a file in segments', () => {
  it('comes in order, whatever each connection meets, and a further attempt goes on where one ended', async () => {
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 4, arbitrary: fc.record({ stored: fc.constant(true), turns: fc.nat(4) }) },
      fc.record({ stored: fc.constant(true), turns: fc.nat(4), cutAfter: fc.nat(3_000) }),
      fc.record({ stored: fc.constant(true), turns: fc.nat(4), endAfter: fc.nat(3_000) }),
      fc.record({ stored: fc.boolean(), ignoreEnd: fc.constant(true) }),
      fc.record({ stored: fc.boolean(), ignoreRange: fc.constant(true) }),
      fc.record({ stored: fc.constant(true), shift: fc.integer({ min: 1, max: 50 }) }),
      fc.constant({ refuse: broken() }),
      fc.constant({ refuse: new DataferryError('SOURCE_THROTTLED', 'Fewer connections.') }),
      fc.constant({ refuse: new StreamRevoked('Others.') }),
    )
    const [segments, from] = [fc.integer({ min: 2, max: 6 }), fc.nat(SIZE - AHEAD - 1)]
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), segments, from, async (steps, most, start) => {
        const source = scriptedSource(BYTES, steps, CHUNKS, STORE)
        let at = start
        let attempts = 0
        for (; at < SIZE; attempts++) {
          const { bytes, error, mostAhead } = await read(source, at, { segments: most })
          expect(bytes.equals(BYTES.subarray(at, at + bytes.length))).toBe(true)
          expect(mostAhead).toBeLessThanOrEqual(AHEAD + most)
          at += bytes.length
          if (error === undefined) break
          expect(error).toMatchObject({ code: expect.stringMatching(/^(SOURCE|SHORT)_/) as string })
        }
        expect(at).toBe(SIZE)
        expect(source.closed()).toBe(source.asked.length - steps.slice(0, source.asked.length).filter(refused).length)
        const rereadFromStart = steps.slice(0, source.asked.length).filter((one) => one.ignoreRange).length * SIZE
        const most4 = SIZE - start + attempts * (AHEAD + most) + source.asked.length * 700 + rereadFromStart
        expect(source.sent()).toBeLessThanOrEqual(most4)
      }),
      { numRuns: 150 },
    )
  })

  it('is fetched by one redirect, which counts, and from then on in parts by its link', async () => {
    const source = scriptedSource(BYTES, [], CHUNKS, STORE)
    expect((await read(source)).bytes.equals(BYTES)).toBe(true)
    const [first, ...others] = source.asked
    expect(first).toMatchObject({ from: 0, count: true })
    expect(first).not.toHaveProperty('linked')
    expect(others.length).toBeGreaterThan(3)
    for (const other of others)
      expect(other).toMatchObject({ linked: true, count: false, to: expect.any(Number) as number })
  })

  it('asks for another link when the store accepts the first one no longer', async () => {
    const expired = { refuse: new DataferryError('SOURCE_FAILED', 'Request has expired.', { status: 403 }) }
    const source = scriptedSource(BYTES, [STORE, STORE, STORE, STORE, expired], CHUNKS, STORE)
    expect((await read(source)).bytes.equals(BYTES)).toBe(true)
    const unlinked = source.asked.filter(({ linked }) => !linked)
    expect(unlinked.map(({ count }) => count)).toEqual([true, ...unlinked.slice(1).map(() => false)])
    expect(unlinked.length).toBeGreaterThan(1)
    expect(unlinked.length).toBeLessThan(6)
  })

  it('is counted once by a server that sends the bytes itself: with the last byte', async () => {
    const source = scriptedSource(BYTES, [], CHUNKS, { turns: 1 })
    const { bytes, error } = await read(source)
    expect(error).toBeUndefined()
    expect(bytes.equals(BYTES)).toBe(true)
    const counted = source.asked.filter(({ count }) => count)
    expect(source.asked.some(({ spare }) => spare)).toBe(true)
    expect(counted.filter(({ to }) => to !== undefined && to !== SIZE)).toEqual([])
    expect(counted.every(({ spare }) => !spare)).toBe(true)
    expect(counted.at(-1)?.to ?? SIZE).toBe(SIZE)
  })

  it.each<[string, Step]>([
    ['has ranges no more', { ignoreRange: true, stored: true }],
    ['says that it is another file', { etag: '"b"', stored: true }],
    ['says that it has another size', { size: SIZE + 1, stored: true }],
    ['refuses', { refuse: new DataferryError('SOURCE_DENIED', 'No.') }],
  ])('comes over the first connection alone where a further one %s', async (_, odd) => {
    const first: Step = { etag: '"a"', stored: true, turns: 2 }
    const source = scriptedSource(BYTES, [first, odd, odd, odd], CHUNKS, first)
    const { bytes, error } = await read(source)
    expect(error).toBeUndefined()
    expect(bytes.equals(BYTES)).toBe(true)
    expect(source.asked.map(({ from, spare = false }) => [from, spare])).toEqual([
      [0, false],
      [2000, true],
      [4000, true],
      [6000, true],
    ])
  })

  it('goes on where a connection that had to make way had come to', async () => {
    const revoked: Step = { stored: true, cutAfter: 1_200 }
    const source = scriptedSource(BYTES, [{ ...STORE, turns: 5 }, revoked], CHUNKS, STORE)
    const open: ScriptedSource['open'] = async (...request) => {
      const opened = await source.open(...request)
      return request[2].spare && request[1] === 2000 ? { ...opened, body: revokedAtEnd(opened.body) } : opened
    }
    expect((await read({ ...source, open })).bytes.equals(BYTES)).toBe(true)
    expect(source.asked.map(({ from }) => from)).toContain(3200)
    expect(source.asked.filter(({ from }) => from === 2000)).toHaveLength(1)
  })

  it('waits for no place of a connection that broke: the first one goes on there', async () => {
    const cut: Step = { stored: true, cutAfter: 1_200 }
    const source = scriptedSource(BYTES, [{ ...STORE, turns: 5 }, cut, cut, cut], CHUNKS, STORE)
    const open: ScriptedSource['open'] = (ref, from, options) =>
      options.spare && source.asked.length > 3 ? noPlace(options.signal) : source.open(ref, from, options)
    expect((await read({ ...source, open })).bytes.equals(BYTES)).toBe(true)
    expect(source.asked.filter(({ spare }) => !spare).map(({ from }) => from)).toContain(3200)
  })

  it('waits for no place: what others have not begun, the first connection brings', async () => {
    const source = scriptedSource(BYTES, [], CHUNKS, STORE)
    const open: ScriptedSource['open'] = (ref, from, options) =>
      options.spare ? noPlace(options.signal) : source.open(ref, from, options)
    expect((await read({ ...source, open })).bytes.equals(BYTES)).toBe(true)
    expect(source.asked.map(({ from, to }) => [from, to])).toEqual([[0, undefined]])
  })

  it.each<[string, Partial<SegmentOptions>, Step]>([
    ['that is not large', { enough: SIZE }, STORE],
    ['of unknown size', { expectedSize: undefined }, { ...STORE, size: null }],
    ['from Dataverse itself, unless asked for', { segments: 'auto' }, { turns: 1 }],
  ])('%s has one connection', async (_, options, step) => {
    const source = scriptedSource(BYTES, [], CHUNKS, step)
    expect((await read(source, 0, options)).bytes.equals(BYTES)).toBe(true)
    expect(source.asked).toHaveLength(1)
  })

  it('closes every connection when its reader leaves, and when it is stopped', async () => {
    for (const stop of [undefined, new AbortController()]) {
      const source = scriptedSource(BYTES, [], CHUNKS, STORE)
      const signal = stop?.signal ?? never
      const reader = new SegmentedReader(source.open, FILE, { ...OPTIONS, signal })
      const reading = async (): Promise<void> => {
        let count = 0
        for await (const chunk of reader.read(0)) {
          count += chunk.length
          if (count > 9_000 && !stop) return
          if (count > 9_000) stop?.abort(new Error('stop'))
        }
      }
      if (stop) await expect(reading()).rejects.toThrow('stop')
      else await reading()
      expect(source.closed()).toBe(source.asked.length)
      expect(reader.ahead).toBe(0)
    }
  })
})

function refused(step: Step): boolean {
  return step.refuse !== undefined
}

function noPlace(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
}

async function* revokedAtEnd(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch {
    throw new StreamRevoked('Others.')
  }
}
