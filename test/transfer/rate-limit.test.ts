import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import type { Ref } from '../../src/model/item.ts'
import { limitedSource, RateLimit } from '../../src/transfer/rate-limit.ts'
import { bytesOf, collect, never } from '../contracts/sink-bytes.ts'
import { scriptedSource } from './scripted-source.ts'

const waits = vi.hoisted((): { ms: number; pass: () => void }[] => [])

// Time is the one thing that cannot be real here: each wait is recorded, and ends when the test says so.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, _value: undefined, { signal }: { signal: AbortSignal }) =>
    new Promise<void>((pass, reject) => {
      waits.push({ ms, pass })
      signal.addEventListener('abort', () => reject(new Error('a timer of its own')), { once: true })
    }),
}))

const FILE: Ref = { kind: 'file', file: 1, format: 'original' }

describe('a rate limit', () => {
  beforeEach(() => {
    waits.length = 0
    vi.spyOn(performance, 'now').mockReturnValue(5_000)
  })
  afterEach(() => vi.restoreAllMocks())

  it('shares its rate among all that take from it: each waits for what was taken before, too', () => {
    const limit = new RateLimit(() => 1000)
    for (const bytes of [500, 250, 250]) void limit.take(bytes, never)
    expect(waits.map(({ ms }) => ms)).toEqual([500, 750, 1000])
  })

  it('saves nothing up while nobody takes', () => {
    const limit = new RateLimit(() => 1000)
    void limit.take(100, never)
    vi.spyOn(performance, 'now').mockReturnValue(60_000)
    void limit.take(100, never)
    expect(waits.map(({ ms }) => ms)).toEqual([100, 100])
  })

  it('lets what is too short to wait for pass, and charges it to the next', async () => {
    const limit = new RateLimit(() => 1000)
    await limit.take(4, never)
    void limit.take(4, never)
    expect(waits.map(({ ms }) => ms)).toEqual([8])
  })

  it('changes for what is taken from now on, and ends', async () => {
    const limit = new RateLimit()
    await limit.take(1e9, never)
    limit.set(100)
    void limit.take(100, never)
    limit.set(1000)
    void limit.take(100, never)
    limit.set(undefined)
    await limit.take(1e9, never)
    expect(waits.map(({ ms }) => ms)).toEqual([1000, 1100])
  })

  it('ends a wait with the reason of the signal', async () => {
    const stop = new AbortController()
    const waiting = new RateLimit(() => 1).take(1000, stop.signal)
    const reason = new DataferryError('INTERRUPTED', 'Stop.')
    stop.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })

  it('holds a source back by the bytes that it gives, and changes none of them', async () => {
    const bytes = bytesOf(3000)
    const source = limitedSource(scriptedSource(bytes, [], [1000]).open, new RateLimit(() => 1000))
    const opened = await source(FILE, 0, { signal: never, count: true })
    expect(opened).toMatchObject({ from: 0, size: 3000 })
    const reading = collect(opened.body)
    for (const [at, ms] of [1000, 1000, 1000].entries()) {
      await vi.waitUntil(() => waits.length > at)
      expect(waits).toHaveLength(at + 1)
      expect(waits[at]?.ms).toBe(ms)
      vi.spyOn(performance, 'now').mockReturnValue(5_000 + (at + 1) * ms)
      waits[at]?.pass()
    }
    expect((await reading).equals(bytes)).toBe(true)
  })
})
