import { afterEach, describe, expect, it, vi } from 'vitest'
import { Outcomes } from '../../src/batch/outcomes.ts'
import { DataferryError, type ErrorCode } from '../../src/errors.ts'
import { afterCounting } from '../../src/model/source.ts'
import { diskSink } from '../../src/sinks/disk/disk-sink.ts'
import { memorySink, memoryStore } from '../../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { transfer } from '../../src/transfer/transfer.ts'
import { settleCrashed } from '../../workers/settle.ts'
import { bytesOf, contentOf, listing, never } from '../contracts/sink-bytes.ts'
import { temporaryFolder } from '../sinks/temporary-folder.ts'
import { broken, itemFor, scriptedSource } from '../transfer/scripted-source.ts'
import { createLogger } from '../../src/log.ts'
import { Batches } from '../../workers/batches.ts'
import { DestinationHolds } from '../../workers/destination-holds.ts'
import type { Step } from '../../workers/step.ts'
import { withDestination } from '../../workers/with-destination.ts'
import { batchOf, plannedBatch } from '../batch/fixtures.ts'
import { deskFor, FIRST, LAST, noticesInto } from './fixtures.ts'

const BYTES = bytesOf(10_000)
const ITEM = itemFor(BYTES)
/** Of a size that nobody promises, so that it is written as it comes. */
const STAGED = itemFor(BYTES, { size: undefined })
const UNPROVEN = itemFor(BYTES, { checksum: undefined })
const OVER = { kind: 'over' }

function refusing(code: ErrorCode, details = {}): ReturnType<typeof scriptedSource> {
  const refuse = new DataferryError(code, `It was ${code}.`, details)
  return scriptedSource(
    BYTES,
    Array.from({ length: 5 }, () => ({ refuse })),
  )
}

describe('the work on an item', () => {
  it('ends with the file, its receipt and a settled line', async () => {
    const source = scriptedSource(BYTES)
    const desk = await deskFor([ITEM], source)
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect((await contentOf(desk.sink, ITEM.path)).equals(BYTES)).toBe(true)
    expect(await desk.outcomes()).toMatchObject([{ state: 'done', n: 0, verified: 'checksum', size: 10_000 }])
    expect(await desk.ledger.summary('b1')).toMatchObject({ done: 1, failed: 0, bytes: 10_000 })
    expect(desk.running.held()).toEqual([])
  })

  it('is nothing once the line has ended, or where the batch is not open', async () => {
    const source = scriptedSource(BYTES)
    const desk = await deskFor([ITEM], source)
    for (const state of ['paused', 'cancelled', 'finished'] as const) {
      await desk.ledger.setState('b1', state)
      expect(await desk.work({ n: 0 })).toEqual(OVER)
    }
    await desk.ledger.setState('b1', 'open')
    await desk.ledger.settle('b1', 0, { state: 'done', bytes: 1 })
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    await desk.ledger.forget('b1')
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect(source.asked).toEqual([])
    expect(await desk.outcomes()).toEqual([])
  })

  it('keeps what is there already, without a request', async () => {
    const source = scriptedSource(BYTES)
    const desk = await deskFor([ITEM], source)
    await desk.work({ n: 0 })
    const again = await deskFor([ITEM], source, { sink: desk.sink, batch: { id: 'b2' } })
    expect(await again.work({ n: 0 })).toEqual(OVER)
    expect(await again.outcomes()).toMatchObject([{ state: 'kept', verified: 'checksum', size: 10_000 }])
    expect(source.asked).toHaveLength(1)
  })

  it('has its download counted by the attempt that brings the last byte, where the server sends the bytes', async () => {
    const source = scriptedSource(BYTES, [{ cutAfter: 0 }, { cutAfter: 0 }])
    const desk = await deskFor([UNPROVEN], source)
    for (const made of [0, 1]) expect(await desk.work({ n: 0 }, { ...FIRST, made })).not.toHaveProperty('counted')
    expect(await desk.work({ n: 0 }, { ...FIRST, made: 2 })).toEqual(OVER)
    expect(source.asked.map(({ count }) => count)).toEqual([true, true, true])
  })

  it('remembers that its download was counted, where nothing of it is kept', async () => {
    const stored = scriptedSource(BYTES, [{ counted: true, cutAfter: 0 }])
    const failed = scriptedSource(BYTES, [{ refuse: afterCounting(broken()) }])
    for (const source of [stored, failed]) {
      const desk = await deskFor([ITEM], source)
      expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry', counted: true })
      expect(await desk.work({ n: 0, counted: true }, { ...FIRST, made: 1 })).toEqual(OVER)
      expect(source.asked.map(({ count }) => count)).toEqual([true, false])
    }
  })

  it('is not counted again when its last byte came and the bytes were wrong', async () => {
    const source = scriptedSource(Buffer.alloc(10_000, 1))
    const desk = await deskFor([ITEM], source)
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry', counted: true })
    expect(await desk.work({ n: 0, counted: true }, LAST)).toEqual(OVER)
    expect(source.asked.filter(({ count }) => count)).toHaveLength(1)
  })

  it.each([
    ['a store', true, [false]],
    ['the server itself', false, [false, true]],
  ] as const)('is counted once after a crash, which left nothing of it: %s', async (_, counted, asked) => {
    const source = scriptedSource(BYTES, [{ counted }])
    const desk = await deskFor([ITEM], source)
    expect(await desk.work({ n: 0 }, { ...FIRST, stalled: 1 })).toEqual(OVER)
    expect(source.asked.map(({ count }) => count)).toEqual(asked)
  })
})

describe('an error', () => {
  it.each(['SOURCE_UNREACHABLE', 'SOURCE_FAILED', 'SHORT_BODY', 'SOURCE_CHANGED', 'CHECKSUM_MISMATCH'] as const)(
    'that may pass (%s) uses an attempt, and the last one fails the item',
    async (code) => {
      const desk = await deskFor([ITEM], refusing(code))
      expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry', error: { code } })
      expect(await desk.ledger.settledIn('b1', 0, 1)).toEqual([false])
      expect(await desk.work({ n: 0 }, LAST)).toEqual(OVER)
      expect(await desk.outcomes()).toMatchObject([{ state: 'failed', code, message: `It was ${code}.` }])
      expect(await desk.ledger.summary('b1')).toMatchObject({ failed: 1, done: 0 })
    },
  )

  it('that says that the bytes are away keeps what there is of them, also at the last attempt', async () => {
    const store = memoryStore()
    const away = { refuse: new DataferryError('SOURCE_BYTES_MISSING', 'Away.') }
    const source = scriptedSource(BYTES, [{ cutAfter: 6000 }, away, away, {}])
    const desk = await deskFor([STAGED], source, { sink: memorySink(store) })
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry', error: { code: 'SOURCE_BYTES_MISSING' } })
    expect(await desk.work({ n: 0 }, LAST)).toEqual(OVER)
    expect(await desk.outcomes()).toMatchObject([{ state: 'failed', code: 'SOURCE_BYTES_MISSING' }])
    const [part] = store.parts.values()
    expect(part?.bytes.length).toBe(6000)
  })

  it.each(['SOURCE_DENIED', 'SOURCE_NOT_FOUND', 'SOURCE_GUESTBOOK', 'CONFIG_INVALID'] as const)(
    'that stays (%s) fails the item at once',
    async (code) => {
      const desk = await deskFor([ITEM], refusing(code))
      expect(await desk.work({ n: 0 })).toEqual(OVER)
      expect(await desk.outcomes()).toMatchObject([{ state: 'failed', code }])
    },
  )

  it('by a server that asks for a pause is the server’s, and uses no attempt, however often', async () => {
    const refuse = new DataferryError('SOURCE_THROTTLED', 'Later.', { retryAfterMs: 700 })
    const desk = await deskFor([ITEM], { open: () => Promise.reject(refuse) })
    for (let times = 0; times < 600; times++) expect(await desk.work({ n: 0 }, LAST)).toMatchObject({ kind: 'later' })
    expect(new Set(desk.reported)).toEqual(new Set(['SOURCE_THROTTLED']))
    expect(await desk.outcomes()).toEqual([])
  })

  it.each(['SOURCE_UNREACHABLE', 'SOURCE_FAILED', 'SOURCE_UNEXPECTED'] as const)(
    'by a server that is away (%s) uses no attempt, however often; where it is away for this item alone it does',
    async (code) => {
      const desk = await deskFor([ITEM], { open: () => Promise.reject(new DataferryError(code, 'It is away.')) })
      desk.judged.as = 'outage'
      for (let times = 0; times < 600; times++) expect(await desk.work({ n: 0 }, LAST)).toMatchObject({ kind: 'later' })
      expect(await desk.outcomes()).toEqual([])
      desk.judged.as = 'alone'
      expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry' })
      expect(await desk.work({ n: 0 }, LAST)).toEqual(OVER)
      expect(await desk.outcomes()).toMatchObject([{ state: 'failed', code }])
    },
  )

  it('about the token pauses the batch with a reason, and settles nothing', async () => {
    const desk = await deskFor([ITEM], refusing('TOKEN_REJECTED'))
    expect(await desk.work({ n: 0 }, LAST)).toEqual(OVER)
    const entry = await desk.ledger.get('b1')
    expect(entry?.state).toBe('paused')
    expect(entry?.reason).toMatch(/^TOKEN_REJECTED: /)
    expect(await desk.ledger.settledIn('b1', 0, 1)).toEqual([false])
    expect(await desk.outcomes()).toEqual([])
  })

  it('that is a bug is retried, and fails the item in the end', async () => {
    const open = () => Promise.reject(new RangeError('A bug.'))
    const desk = await deskFor([ITEM], { open })
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry' })
    expect(await desk.work({ n: 0 }, LAST)).toEqual(OVER)
    expect(await desk.outcomes()).toMatchObject([{ code: 'UNEXPECTED', message: 'A bug.' }])
  })

  it('because another process has the item makes it wait', async () => {
    const desk = await deskFor([STAGED], scriptedSource(BYTES))
    await using stage = await desk.sink.stage({ key: 'b1-0', item: { ...STAGED, n: 0 }, signal: never })
    for (let times = 0; times < 600; times++) expect(await desk.work({ n: 0 }, LAST)).toMatchObject({ kind: 'later' })
    expect(await desk.outcomes()).toEqual([])
    await stage.restart()
  })
})

describe('a full destination', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is waited for without requests, said once, and filled when there is room', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const sink = memorySink()
    const stage = sink.stage.bind(sink)
    let free = 0
    sink.free = () => Promise.resolve(free)
    sink.stage = (options) =>
      free > 0 ? stage(options) : Promise.reject(new DataferryError('SINK_FULL', 'No space is left.'))
    const source = scriptedSource(BYTES)
    const desk = await deskFor([STAGED, { ...STAGED, path: 'b' }], source, { sink })
    for (const n of [0, 1, 0]) expect(await desk.work({ n }, LAST)).toMatchObject({ kind: 'later' })
    expect(source.asked).toEqual([])
    expect(desk.notices).toHaveLength(1)
    vi.advanceTimersByTime(5_001)
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'later' })
    free = 2 << 20
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'later' })
    vi.advanceTimersByTime(5_001)
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect(desk.notices).toEqual([expect.stringContaining('No space is left'), undefined])
    expect(await desk.ledger.summary('b1')).toMatchObject({ done: 1, failed: 0 })
  })

  it('costs an item no attempts, so that its next error after days is its first', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const sink = memorySink()
    sink.free = () => Promise.resolve(0)
    const stage = sink.stage.bind(sink)
    sink.stage = () => Promise.reject(new DataferryError('SINK_FULL', 'No space is left.'))
    const desk = await deskFor([STAGED], scriptedSource(BYTES, [{ refuse: broken() }]), { sink })
    for (let times = 0; times < 6_000; times++) {
      expect(await desk.work({ n: 0 })).toEqual({ kind: 'later', ms: 5_000 })
      vi.advanceTimersByTime(60_000)
    }
    sink.free = () => Promise.resolve(2 << 20)
    sink.stage = stage
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry', error: { code: 'SOURCE_UNREACHABLE' } })
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect(await desk.ledger.summary('b1')).toMatchObject({ done: 1, failed: 0 })
  })
})

describe('a destination that is away', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  const away = (message = '/data is gone.'): Promise<never> =>
    Promise.reject(new DataferryError('SINK_UNAVAILABLE', message))

  it('is waited for without requests and attempts, said with its reason and since when, and goes on by itself', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const sink = memorySink()
    const stage = sink.stage.bind(sink)
    sink.stage = () => away()
    sink.check = () => away()
    const source = scriptedSource(BYTES)
    const desk = await deskFor([STAGED, { ...STAGED, path: 'b' }], source, { sink })
    for (const n of [0, 1, 0]) expect(await desk.work({ n }, LAST)).toEqual({ kind: 'later', ms: 5_000 })
    expect(desk.notices).toEqual([
      expect.stringMatching(/ on hold since \d\d:\d\d:\d\d, next look at \d\d:\d\d:\d\d: \/data is gone\.$/),
    ])
    vi.advanceTimersByTime(5_001)
    sink.check = () => away('/data is read-only.')
    expect(await desk.work({ n: 0 }, LAST)).toMatchObject({ kind: 'later' })
    expect(desk.notices.at(-1)).toContain('/data is read-only.')
    sink.check = () => Promise.resolve()
    sink.stage = stage
    expect(await desk.work({ n: 0 }, LAST)).toMatchObject({ kind: 'later' })
    expect(source.asked).toEqual([])
    vi.advanceTimersByTime(5_001)
    for (const n of [0, 1]) expect(await desk.work({ n })).toEqual(OVER)
    expect(desk.notices.at(-1)).toBeUndefined()
    expect(await desk.ledger.get('b1')).toMatchObject({ state: 'open' })
    expect(await desk.ledger.summary('b1')).toMatchObject({ done: 2, failed: 0 })
  })

  it('costs no attempt when it goes between the bytes and their receipt', async () => {
    const desk = await deskFor([ITEM], scriptedSource(BYTES))
    const { outcomes } = (await desk.batches.open('b1')) ?? {}
    const record = vi.spyOn(outcomes ?? { record: () => Promise.resolve() }, 'record').mockImplementation(() => away())
    expect(await desk.work({ n: 0 }, LAST)).toMatchObject({ kind: 'later' })
    record.mockRestore()
    expect(desk.notices).toHaveLength(1)
    expect(await desk.outcomes()).toEqual([])
  })

  it('is not taken for one that knows the batch no more', async () => {
    const desk = await deskFor([ITEM], scriptedSource(BYTES))
    const destinations = new DestinationHolds(noticesInto(desk.notices))
    const open = (sink: Sink) => {
      const batches = new Batches(desk.ledger, () => Promise.resolve(sink), 'w1', createLogger('silent'))
      const step = (opened: unknown): Promise<Step> =>
        Promise.resolve(opened ? { kind: 'over' } : { kind: 'hand-back' })
      return withDestination('b1', { ledger: desk.ledger, batches, destinations }, step)
    }
    expect(await open(desk.sink)).toEqual(OVER)
    expect(await open(memorySink())).toMatchObject({ kind: 'later' })
    expect(desk.notices).toEqual([expect.stringContaining('is its disk mounted?')])
    const other = memorySink()
    await plannedBatch(other.records, [ITEM], batchOf('b2'))
    expect(await open(other)).toEqual({ kind: 'hand-back' })
  })
})

describe('being asked to stop', () => {
  it.each([
    ['shutdown', { kind: 'hand-back' }],
    ['held', OVER],
    ['lost', { kind: 'retry' }],
  ] as const)('(%s) is no failure: what came is kept', async (reason, step) => {
    const store = memoryStore()
    const lock = new AbortController()
    const stop = (): void => {
      if (reason === 'lost') lock.abort()
      else desk.running.stopWhere(() => true, reason)
    }
    const source = scriptedSource(BYTES, [{ cutAfter: 6000, then: stop }])
    const desk = await deskFor([STAGED], source, { sink: memorySink(store) })
    expect(await desk.work({ n: 0 }, LAST, lock.signal)).toMatchObject(step)
    expect(await desk.outcomes()).toEqual([])
    expect(desk.running.held()).toEqual([])
    expect(store.parts.get('b1-0')?.bytes).toHaveLength(6000)
    expect([...(await desk.ledger.parts('b1'))]).toEqual(reason === 'lost' ? [] : [[0, 6000]])
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect((await desk.ledger.parts('b1')).size).toBe(0)
    expect(await desk.outcomes()).toMatchObject([{ resumedFrom: 6000, verified: 'checksum' }])
  })

  it('leaves a small item to be counted by the next attempt, unless a store counted it with its link', async () => {
    for (const counted of [true, false]) {
      const stop = (): void => desk.running.stopWhere(() => true, 'shutdown')
      const desk = await deskFor([ITEM], scriptedSource(BYTES, [{ counted, cutAfter: 5000, then: stop }]))
      expect(await desk.work({ n: 0 })).toEqual({ kind: 'hand-back', ...(counted && { counted }) })
    }
  })

  it('does not have a store count a small item again that was held, and so has another job', async () => {
    const stop = (): void => desk.running.stopWhere(() => true, 'held')
    const source = scriptedSource(BYTES, [{ counted: true, cutAfter: 5000, then: stop }])
    const desk = await deskFor([ITEM], source)
    for (let job = 0; job < 2; job++) expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect(source.asked.map(({ count }) => count)).toEqual([true, false])
    expect(desk.running.counted.size).toBe(0)
  })

  it('leaves nothing of a small item, which is fetched again', async () => {
    const store = memoryStore()
    const stop = (): void => desk.running.stopWhere(() => true, 'shutdown')
    const desk = await deskFor([ITEM], scriptedSource(BYTES, [{ then: stop }]), { sink: memorySink(store) })
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'hand-back' })
    expect(await listing(desk.sink)).toEqual({})
    expect(store.parts.size).toBe(0)
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect(await desk.outcomes()).toMatchObject([{ resumedFrom: 0, verified: 'checksum' }])
  })

  it('reaches items that are only begun afterwards', async () => {
    const source = scriptedSource(BYTES)
    const desk = await deskFor([ITEM], source)
    desk.running.shutDown()
    expect(await desk.work({ n: 0 })).toEqual({ kind: 'hand-back' })
    expect(await desk.work({ n: 0 }, FIRST, AbortSignal.abort())).toMatchObject({ kind: 'retry' })
    expect(source.asked).toEqual([])
  })
})

describe('after a crash', () => {
  it.each(['memory', 'disk'])(
    'of Redis, an item that two workers have is brought by the first alone and found by the second, in %s',
    async (kind) => {
      await using folder = await temporaryFolder()
      const store = memoryStore()
      const make = (): Sink => (kind === 'disk' ? diskSink(folder.path) : memorySink(store))
      const [first, second] = [scriptedSource(BYTES), scriptedSource(BYTES)]
      const one = await deskFor([STAGED], first, { sink: make() })
      const late = make()
      // The first worker commits when the second has looked at the destination and before it has claimed the part.
      const stage = late.stage.bind(late)
      late.stage = async (options) => {
        if (first.asked.length === 0) await one.work({ n: 0 })
        return stage(options)
      }
      const two = await deskFor([STAGED], second, { sink: late })
      expect(await two.work({ n: 0 })).toMatchObject({ kind: 'later' })
      expect(await two.work({ n: 0 })).toEqual(OVER)
      expect(first.asked).toHaveLength(1)
      expect(second.asked).toEqual([])
      await Promise.all([one, two].map(({ batches }) => batches.close()))
      expect(await new Outcomes(late.records, 'b1').tally()).toMatchObject({ done: 1, kept: 0, bytes: 10_000 })
      // A sink that remembers whose commit it was cannot tell whether its receipt was lost.
      const states = (await two.outcomes()).map(({ state }) => state).sort()
      expect(states).toEqual(kind === 'disk' ? ['done', 'kept'] : ['done', 'done'])
    },
  )

  it.each(['memory', 'disk'])(
    'of Redis, a small item that two workers bring at the same time is there once, and found by the second, in %s',
    async (kind) => {
      await using folder = await temporaryFolder()
      const store = memoryStore()
      const make = (): Sink => (kind === 'disk' ? diskSink(folder.path) : memorySink(store))
      const one = await deskFor([ITEM], scriptedSource(BYTES), { sink: make() })
      // The first worker ends while the bytes of the second are on their way.
      const second = scriptedSource(BYTES, [{ then: () => void (ended = one.work({ n: 0 })) }])
      let ended: Promise<Step> | undefined
      const late = make()
      const put = late.put.bind(late)
      late.put = async (...file) => {
        await ended
        return put(...file)
      }
      const two = await deskFor([ITEM], second, { sink: late })
      expect(await two.work({ n: 0 })).toMatchObject({ kind: 'later' })
      expect(await two.work({ n: 0 })).toEqual(OVER)
      expect(second.asked).toHaveLength(1)
      await Promise.all([one, two].map(({ batches }) => batches.close()))
      expect(await new Outcomes(late.records, 'b1').tally()).toMatchObject({ done: 1, kept: 0, bytes: 10_000 })
      expect((await contentOf(make(), ITEM.path)).equals(BYTES)).toBe(true)
    },
  )

  it.each(['memory', 'disk'])('between commit and receipt the item ends without a fetch, in %s', async (kind) => {
    await using folder = await temporaryFolder()
    for (const item of [ITEM, UNPROVEN]) {
      const sink = kind === 'disk' ? diskSink(`${folder.path}/${item === ITEM ? 'a' : 'b'}`) : memorySink()
      const source = scriptedSource(BYTES)
      const desk = await deskFor([item], source, { sink })
      await transfer(item, { open: scriptedSource(BYTES).open, sink }, { key: 'b1-0', signal: never, count: true })
      expect(await desk.work({ n: 0 })).toEqual(OVER)
      expect(source.asked).toEqual([])
      const verified = item === ITEM ? 'checksum' : 'size'
      expect(await desk.outcomes()).toMatchObject([{ size: 10_000, verified }])
      expect(await desk.ledger.settledIn('b1', 0, 1)).toEqual([true])
      await desk.batches.close()
    }
  })

  it('between receipt and settling it is settled without a fetch, and counts once', async () => {
    const source = scriptedSource(BYTES)
    const desk = await deskFor([UNPROVEN], source)
    const settleAll = desk.ledger.settleAll.bind(desk.ledger)
    desk.ledger.settleAll = () => Promise.reject(new Error('Redis is away.'))
    expect(await desk.work({ n: 0 })).toMatchObject({ kind: 'retry' })
    desk.ledger.settleAll = settleAll
    expect(await desk.work({ n: 0 })).toEqual(OVER)
    expect(source.asked).toHaveLength(1)
    expect(await desk.ledger.summary('b1')).toMatchObject({ done: 1, bytes: 10_000 })
    expect(await new Outcomes(desk.sink.records, 'b1').tally()).toMatchObject({ done: 1, bytes: 10_000 })
  })

  it('of twenty workers the item takes no more of them with it, and before it is as good as any', async () => {
    const source = scriptedSource(BYTES)
    const desk = await deskFor([ITEM, { ...ITEM, path: 'b' }, { ...ITEM, path: 'c' }], source)
    expect(await desk.work({ n: 2 }, { ...FIRST, stalled: 19 })).toEqual(OVER)
    source.asked.length = 0
    expect(await desk.work({ n: 0 }, { ...FIRST, stalled: 20 })).toEqual(OVER)
    const opened = await desk.batches.open('b1')
    if (opened) await settleCrashed(await opened.items.item(1), opened, desk)
    expect(await desk.outcomes()).toMatchObject([
      { n: 2, state: 'done' },
      { n: 0, code: 'WORKER_CRASHED' },
      { n: 1, code: 'WORKER_CRASHED' },
    ])
    expect(source.asked).toEqual([])
    expect(Object.keys(await listing(desk.sink))).toEqual(['c'])
  })

  it('of the connection a failed item leaves no part behind', async () => {
    const store = memoryStore()
    const source = scriptedSource(BYTES, [{ cutAfter: 6000 }, { refuse: broken() }])
    const desk = await deskFor([STAGED], source, { sink: memorySink(store) })
    expect(await desk.work({ n: 0 }, LAST)).toEqual(OVER)
    expect(store.parts.size).toBe(0)
  })
})
