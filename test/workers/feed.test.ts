import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ItemJob } from '../../jobs/item.ts'
import type { Item } from '../../src/model/item.ts'
import { Feeder, type FeedDeps } from '../../workers/feed.ts'
import type { Step } from '../../workers/step.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { itemFor, scriptedSource } from '../transfer/scripted-source.ts'
import { deskFor, type Desk } from './fixtures.ts'

const A = 'https://a.invalid'
const B = 'https://b.invalid'
const WINDOW = 10
const NO_SOURCE = scriptedSource(bytesOf(0))

/** Queues of jobs that nobody works on but the test. */
class Queues {
  readonly #jobs = new Map<string, Set<number>>()
  /** Lines whose job Redis has and never gives to anybody. */
  readonly strays = new Set<number>()
  added = 0

  of(server: string): Set<number> {
    const known = this.#jobs.get(server) ?? new Set()
    this.#jobs.set(server, known)
    return known
  }

  add(server: string, jobs: readonly ItemJob[]): Promise<void> {
    this.added += jobs.length
    for (const { n } of jobs) if (!this.strays.has(n)) this.of(server).add(n)
    return Promise.resolve()
  }

  removeOrphans(jobs: readonly ItemJob[]): Promise<void> {
    for (const { n } of jobs) this.strays.delete(n)
    return Promise.resolve()
  }
}

interface Fed {
  readonly desk: Desk
  readonly queues: Queues
  readonly feeder: Feeder
  readonly reports: string[]
  readonly notices: (string | undefined)[]
  readonly pass: (server?: string) => Promise<Step>
  /** Ends the queued items of a server, as workers would. */
  readonly end: (server?: string, most?: number) => Promise<void>
}

async function fed(items: readonly Item[], more: Partial<FeedDeps> = {}): Promise<Fed> {
  const desk = await deskFor(items, NO_SOURCE, { batch: { servers: [A, B] } })
  const queues = new Queues()
  const reports: string[] = []
  const notices: (string | undefined)[] = []
  const deps: FeedDeps = {
    scope: 'public',
    ledger: desk.ledger,
    batches: desk.batches,
    isPaused: () => false,
    queued: (server) => Promise.resolve(queues.of(server).size),
    add: (server, jobs) => queues.add(server, jobs),
    removeOrphans: (_, jobs) => queues.removeOrphans(jobs),
    askReport: (batch) => Promise.resolve(void reports.push(batch)),
    window: () => Promise.resolve(WINDOW),
    memoryPressure: () => Promise.resolve(undefined),
    notice: (text) => notices.push(text),
    looks: { due: () => Promise.resolve(undefined), isLooking: () => false, leave: () => undefined },
    ...more,
  }
  const feeder = new Feeder(deps)
  return {
    desk,
    queues,
    feeder,
    reports,
    notices,
    pass: (server = A) => feeder.pass({ v: 1, batch: 'b1', server }),
    async end(server = A, most = WINDOW) {
      for (const n of [...queues.of(server)].slice(0, most)) {
        await desk.ledger.settle('b1', n, { state: 'done', bytes: 1 })
        queues.of(server).delete(n)
      }
    },
  }
}

function items(count: number, serverOf: (n: number) => string = () => A): Item[] {
  return Array.from({ length: count }, (_, n) => ({ ...itemFor(bytesOf(1)), n, path: `f${n}`, server: serverOf(n) }))
}

describe('feeding', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('never queues more than the window, feeds each line once, and asks for the report exactly at the end', async () => {
    const { pass, end, queues, reports } = await fed(items(95))
    for (let turn = 0; reports.length === 0; turn++) {
      expect(queues.of(A).size).toBeLessThanOrEqual(WINDOW)
      const step = await pass()
      if (step.kind === 'over') break
      expect(queues.of(A).size).toBeLessThanOrEqual(WINDOW)
      expect(reports).toEqual([])
      await end(A, 1 + (turn % WINDOW))
    }
    expect(reports).toEqual(['b1'])
    expect(queues.added).toBe(95)
  })

  it('waits while the window is full', async () => {
    const { pass, queues } = await fed(items(50))
    await pass()
    expect(await pass()).toMatchObject({ kind: 'later' })
    expect(queues.added).toBe(WINDOW)
  })

  it('does not end a batch whose last items are still worked on, or whose plan is not complete', async () => {
    const { pass, end, desk, reports } = await fed(items(3))
    await pass()
    expect(await pass()).toMatchObject({ kind: 'later' })
    await desk.ledger.setPlanned('b1', 3, 3, false)
    await end()
    expect(await pass()).toMatchObject({ kind: 'later' })
    expect(reports).toEqual([])
    await desk.ledger.setPlanned('b1', 3, 3, true)
    expect(await pass()).toEqual({ kind: 'over' })
    expect(reports).toEqual(['b1'])
  })

  it('feeds what is planned so far, and no line beyond', async () => {
    const { pass, end, queues, desk } = await fed(items(8))
    await desk.ledger.setPlanned('b1', 5, 5, false)
    await pass()
    expect([...queues.of(A)]).toEqual([0, 1, 2, 3, 4])
    await end()
    await pass()
    expect(queues.of(A).size).toBe(0)
    await desk.ledger.setPlanned('b1', 8, 8, true)
    await pass()
    expect([...queues.of(A)]).toEqual([5, 6, 7])
  })

  it('goes on from the first open line when the window is empty, whatever was queued before', async () => {
    const { pass, queues, desk } = await fed(items(30))
    await pass()
    for (const n of [0, 1, 2, 5]) await desk.ledger.settle('b1', n, { state: 'done', bytes: 1 })
    queues.of(A).clear()
    await pass()
    expect([...queues.of(A)]).toEqual([3, 4, 6, 7, 8, 9, 10, 11, 12, 13])
  })

  it('feeds items of a batch that was paused again afterwards, though its window is not empty', async () => {
    const { pass, queues, desk } = await fed(items(30))
    await pass()
    await desk.ledger.setState('b1', 'paused')
    queues.of(A).delete(4)
    expect(await pass()).toMatchObject({ kind: 'later' })
    expect(queues.of(A).size).toBe(WINDOW - 1)
    await desk.ledger.setState('b1', 'open')
    // Lines that are queued already take up room in a pass, but not in the window.
    for (let turn = 0; turn < WINDOW && !queues.of(A).has(4); turn++) await pass()
    expect(queues.of(A).has(4)).toBe(true)
    expect(queues.of(A).size).toBe(WINDOW)
  })

  it('looks for lost lines now and then at the end, though others keep the window from being empty', async () => {
    const { pass, queues } = await fed(items(5))
    await pass()
    queues.of(A).delete(2)
    await pass()
    expect(queues.of(A).has(2)).toBe(false)
    vi.advanceTimersByTime(10_000)
    await pass()
    expect(queues.of(A).has(2)).toBe(true)
  })

  it('gets rid of jobs that nobody would ever take up, once everything is fed', async () => {
    const { pass, end, queues, reports } = await fed(items(5))
    queues.strays.add(2)
    await pass()
    await end()
    await pass()
    expect([...queues.of(A)]).toEqual([])
    vi.advanceTimersByTime(10_000)
    await pass()
    expect([...queues.of(A)]).toEqual([2])
    await end()
    expect(await pass()).toEqual({ kind: 'over' })
    expect(reports).toEqual(['b1'])
  })

  it('is over for a batch that is cancelled, finished or unknown', async () => {
    const { pass, feeder, queues, desk, reports } = await fed(items(5))
    for (const state of ['cancelled', 'finished'] as const) {
      await desk.ledger.setState('b1', state)
      expect(await pass()).toEqual({ kind: 'over' })
    }
    expect(await feeder.pass({ v: 1, batch: 'b9', server: A })).toEqual({ kind: 'over' })
    expect(queues.added).toBe(0)
    expect(reports).toEqual([])
  })

  it('keeps the items of several servers apart', async () => {
    const { pass, end, queues, reports } = await fed(items(40, (n) => (n % 4 === 0 ? B : A)))
    await pass(A)
    await pass(B)
    expect([...queues.of(A)].every((n) => n % 4 !== 0)).toBe(true)
    expect([...queues.of(B)]).toEqual([0, 4, 8, 12, 16, 20, 24, 28, 32, 36])
    await end(B)
    expect(await pass(B)).toMatchObject({ kind: 'later' })
    expect(reports).toEqual([])
    for (let turn = 0; turn < 3; turn++) {
      await end(A)
      if ((await pass(A)).kind === 'over') break
    }
    expect(await pass(B)).toEqual({ kind: 'over' })
    expect(queues.added).toBe(40)
  })

  it('settles what planning found out of reach itself, without a job', async () => {
    const problem = { code: 'SOURCE_NOT_FOUND', message: 'No such file.' }
    const all = items(6).map((item) => (item.n % 2 === 0 ? { ...item, problem } : item))
    const { pass, end, queues, desk, reports } = await fed(all)
    await pass()
    expect([...queues.of(A)]).toEqual([1, 3, 5])
    expect(await desk.ledger.summary('b1')).toMatchObject({ failed: 3, done: 0 })
    expect(await desk.outcomes()).toMatchObject([0, 2, 4].map((n) => ({ n, state: 'failed', ...problem })))
    await end()
    await pass()
    expect(reports).toEqual(['b1'])
    expect(NO_SOURCE.asked).toEqual([])
  })

  it('stops while Redis has little memory left, and says so', async () => {
    let pressure = 0.7
    const { pass, queues, notices } = await fed(items(5), { memoryPressure: () => Promise.resolve(pressure) })
    expect(await pass()).toMatchObject({ kind: 'later' })
    expect(queues.added).toBe(0)
    pressure = 0.6
    await pass()
    expect(queues.added).toBe(5)
    expect(notices).toEqual([expect.stringContaining('70 %'), undefined])
  })

  it('gets through very many lines of another server, a part in each pass', async () => {
    const { pass, queues, desk } = await fed(items(3))
    const far = 50_000
    desk.ledger.settledIn = (_, from, to) =>
      Promise.resolve(Array.from({ length: to - from }, (__, i) => from + i < far))
    await desk.ledger.setPlanned('b1', far, 0, true)
    for (let turn = 0; turn < 3; turn++) expect(await pass()).toMatchObject({ kind: 'later' })
    expect(queues.added).toBe(0)
  })
})
