import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { BatchOwner, Ledger, LedgerBatch, Settled, Taker } from '../../src/ledger/ledger.ts'

const PUBLIC: Taker = { server: 'https://a.example', attached: false, withToken: false }
const TOKEN: Taker = { ...PUBLIC, withToken: true }
const OWN: Taker = { ...PUBLIC, attached: true }
const DONE: Settled = { state: 'done', bytes: 10 }
const KEPT: Settled = { state: 'kept', bytes: 7 }
const FAILED: Settled = {
  state: 'failed',
  bytes: 0,
  error: { code: 'SOURCE_DENIED', message: 'The server does not allow file 7.', path: 'a/b.csv' },
}
const NOTHING = {
  planned: 0,
  planComplete: false,
  plannedBytes: 0,
  done: 0,
  kept: 0,
  failed: 0,
  waiting: 0,
  bytes: 0,
  keptBytes: 0,
}

/** What every ledger promises. `make` gives one that may know other batches already. */
export function describeLedger(name: string, make: () => Ledger): void {
  describe(name, () => {
    let ledger: Ledger
    let batch: LedgerBatch
    let id: string

    beforeEach(async () => {
      ledger = make()
      id = `b-${randomBytes(6).toString('hex')}`
      batch = { id, destination: 'file:///data', servers: ['https://a.example', 'https://b.example'], createdAt: 'now' }
      await ledger.open(batch)
    })

    it('a batch goes on where its destination is now', async () => {
      await ledger.setDestination(id, 'file:///moved')
      expect(await ledger.get(id)).toMatchObject({ destination: 'file:///moved', state: 'open' })
    })

    it('opening again keeps what is there', async () => {
      await ledger.setState(id, 'paused', 'The disk is full.')
      await ledger.setPlanned(id, 5, 500, false)
      await ledger.settle(id, 0, DONE)
      await ledger.open({ ...batch, destination: 'file:///elsewhere' })
      const whose = { attached: false, tokenServers: [], owner: undefined }
      const entry = {
        ...batch,
        ...whose,
        state: 'paused',
        reason: 'The disk is full.',
        planned: 5,
        planComplete: false,
      }
      expect(await ledger.get(id)).toEqual(entry)
      expect(await ledger.settledIn(id, 0, 1)).toEqual([true])
    })

    it('a line that waits counts as such, is fed to nobody, and opens again like one that failed', async () => {
      await ledger.setPlanned(id, 3, 30, true)
      expect(await ledger.settle(id, 1, { state: 'waiting', bytes: 0 })).toBe(true)
      expect(await ledger.settle(id, 1, DONE)).toBe(false)
      await ledger.settle(id, 0, DONE)
      await ledger.settle(id, 2, FAILED)
      expect(await ledger.summary(id)).toMatchObject({ done: 1, failed: 1, waiting: 1 })
      expect(await ledger.isOpen(id, 1, PUBLIC)).toBe(false)
      expect(await ledger.firstOpen(id)).toBe(3)
      expect(await ledger.reopen(id, [0, 1, 2], 'waiting')).toBe(1)
      expect(await ledger.firstOpen(id)).toBe(1)
      expect(await ledger.settle(id, 1, DONE)).toBe(true)
      expect(await ledger.summary(id)).toMatchObject({ done: 2, failed: 1, waiting: 0 })
    })

    it('a state moves only from those it may come from: what a person decided meanwhile stays', async () => {
      expect(await ledger.moveState(id, ['open'], 'waiting')).toBe(true)
      expect(await ledger.moveState(id, ['open'], 'finished')).toBe(false)
      await ledger.setState(id, 'paused', 'by hand')
      expect(await ledger.moveState(id, ['open', 'waiting'], 'finished')).toBe(false)
      expect(await ledger.get(id)).toMatchObject({ state: 'paused', reason: 'by hand' })
      await expect(ledger.moveState(`${id}-no`, ['open'], 'waiting')).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' })
    })

    it('the next look at a server is known until the batch is forgotten', async () => {
      expect([...(await ledger.nextLooks(id))]).toEqual([])
      await ledger.setNextLook(id, 'https://a.example', 5)
      await ledger.setNextLook(id, 'https://a.example', 9_000)
      expect([...(await ledger.nextLooks(id))]).toEqual([['https://a.example', 9_000]])
      await ledger.setState(id, 'waiting')
      expect(await ledger.get(id)).toMatchObject({ state: 'waiting' })
      await ledger.forget(id)
      await expect(ledger.setNextLook(id, 'https://a.example', 1)).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' })
    })

    it('a batch may be paused from the first moment, and only from that', async () => {
      const other = { ...batch, id: `held-${id}` }
      await ledger.open(other, { state: 'paused', reason: 'by hand' })
      expect(await ledger.get(other.id)).toMatchObject({ state: 'paused', reason: 'by hand' })
      await ledger.open(batch, { state: 'paused', reason: 'by hand' })
      expect(await ledger.get(id)).toMatchObject({ state: 'open', reason: undefined })
    })

    it('a batch is attached to one owner at a time, who may renew it, give it up, or be replaced when proved dead', async () => {
      const owner = (name: string): BatchOwner => ({ id: name, host: 'h', space: 's', pid: 7, startTime: '1' })
      await ledger.setPlanned(id, 1, 1, true)
      expect(await ledger.attach(id, owner('a'))).toBeUndefined()
      expect(await ledger.attach(id, owner('a'))).toBeUndefined()
      expect(await ledger.attach(id, owner('b'))).toEqual(owner('a'))
      expect(await ledger.get(id)).toMatchObject({ attached: true, owner: owner('a') })
      expect(await ledger.attach(id, owner('b'), 'c')).toEqual(owner('a'))
      expect(await ledger.attach(id, owner('b'), 'a')).toBeUndefined()
      await ledger.disown(id, 'a')
      expect(await ledger.get(id)).toMatchObject({ owner: owner('b') })
      await ledger.disown(id, 'b')
      expect(await ledger.get(id)).toMatchObject({ attached: true, owner: undefined })
      expect(await ledger.attach(id, owner('c'))).toBeUndefined()
    })

    it('jobs of workers end unseen while a batch is attached, and those of its owner once it is left to workers', async () => {
      const owner = { id: 'a', host: 'h', space: 's', pid: 7, startTime: '1' }
      await ledger.setPlanned(id, 1, 1, true)
      const open = (): Promise<boolean[]> =>
        Promise.all([PUBLIC, TOKEN, OWN].map((taker) => ledger.isOpen(id, 0, taker)))
      expect(await open()).toEqual([true, false, false])
      await ledger.attach(id, owner)
      expect(await open()).toEqual([false, false, true])
      await ledger.detach(id, ['https://b.example'])
      expect(await open()).toEqual([true, false, false])
      // Left to workers again, now in the name of a token: the jobs that wait in everybody's queue are none any more.
      await ledger.detach(id, ['https://a.example'])
      expect(await open()).toEqual([false, true, false])
      expect(await ledger.get(id)).toMatchObject({ owner: undefined, tokenServers: ['https://a.example'] })
    })

    it('a state without a reason takes the old reason away', async () => {
      await ledger.setState(id, 'paused', 'Because.')
      await ledger.setState(id, 'open')
      expect(await ledger.get(id)).toMatchObject({ state: 'open', reason: undefined })
    })

    it('batches are listed in the order in which they were made', async () => {
      const ids = ['z', 'm', 'a'].map((letter) => `${letter}-${id}`)
      for (const [i, other] of ids.entries()) await ledger.open({ ...batch, id: other, createdAt: `2026-01-0${i + 1}` })
      const listed = (await ledger.list()).map((entry) => entry.id)
      expect(listed.filter((other) => ids.includes(other))).toEqual(ids)
      expect(listed).toContain(id)
    })

    it('an end is counted once, whatever comes after it', async () => {
      expect(await ledger.settle(id, 3, DONE)).toBe(true)
      for (const end of [DONE, KEPT, FAILED]) expect(await ledger.settle(id, 3, end)).toBe(false)
      expect(await ledger.summary(id)).toEqual({ ...NOTHING, done: 1, bytes: 10 })
    })

    it('of lines it is told how each stands, and why it failed', async () => {
      for (const n of [1, 9]) await ledger.settle(id, n, FAILED)
      await ledger.settle(id, 2, DONE)
      await ledger.settle(id, 10, { state: 'waiting', bytes: 0 })
      expect(await ledger.statesIn(id, 0, 4)).toEqual(['open', 'failed', 'there', 'open'])
      expect(await ledger.statesIn(id, 8, 12)).toEqual(['open', 'failed', 'waiting', 'open'])
      expect(await ledger.statesIn(id, 3, 3)).toEqual([])
      expect(await ledger.errorsAt(id, [1, 2, 3])).toEqual([{ n: 1, ...FAILED.error }])
      expect(await ledger.errorsAt(id, [])).toEqual([])
    })

    it('many ends are counted in one step, each exactly once', async () => {
      await ledger.settle(id, 1, DONE)
      const ends = [0, 1, 2, 2].map((n) => ({
        n,
        state: n === 0 ? ('kept' as const) : ('done' as const),
        bytes: 10 ** n,
      }))
      expect(await ledger.settleAll(id, ends)).toBe(2)
      expect(await ledger.settleAll(id, ends)).toBe(0)
      expect(await ledger.settleAll(id, [])).toBe(0)
      expect(await ledger.settledIn(id, 0, 4)).toEqual([true, true, true, false])
      expect(await ledger.summary(id)).toMatchObject({ done: 2, kept: 1, bytes: DONE.bytes + 100, keptBytes: 1 })
      await ledger.settleAll(id, [{ n: 3, state: 'done', bytes: 5_000_000_000_001 }])
      expect((await ledger.summary(id)).bytes).toBe(DONE.bytes + 100 + 5_000_000_000_001)
    })

    it('of many who settle the same lines at once exactly one counts each', async () => {
      const claims = Array.from({ length: 200 }, (_, i) => ledger.settle(id, i % 20, i % 2 ? DONE : KEPT))
      expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(20)
      const { done, kept } = await ledger.summary(id)
      expect(done + kept).toBe(20)
    })

    it('done, kept and failed are counted apart, with their bytes', async () => {
      await ledger.setPlanned(id, 4, 4000, true)
      await ledger.settle(id, 0, DONE)
      await ledger.settle(id, 1, DONE)
      await ledger.settle(id, 2, KEPT)
      await ledger.settle(id, 3, FAILED)
      const expected = { planned: 4, planComplete: true, plannedBytes: 4000, done: 2, kept: 1, failed: 1, waiting: 0 }
      expect(await ledger.summary(id)).toEqual({ ...expected, bytes: 20, keptBytes: 7 })
    })

    it('bytes beyond 32 bits are counted exactly', async () => {
      await ledger.settle(id, 0, { state: 'done', bytes: 5_000_000_000_001 })
      await ledger.settle(id, 1, { state: 'done', bytes: 3 })
      expect((await ledger.summary(id)).bytes).toBe(5_000_000_000_004)
    })

    it('a failed line has ended: settling it as done changes nothing', async () => {
      await ledger.settle(id, 1, FAILED)
      expect(await ledger.settle(id, 1, DONE)).toBe(false)
      expect(await ledger.summary(id)).toEqual({ ...NOTHING, failed: 1 })
      expect(await collect(ledger.failed(id))).toEqual([1])
    })

    it('a reopened line is open, uncounted, without an error and without crashes', async () => {
      await ledger.settle(id, 0, DONE)
      await ledger.crashed(id, 1)
      await ledger.settle(id, 1, FAILED)
      await ledger.settle(id, 2, FAILED)
      expect(await ledger.reopen(id, [0, 1, 1, 5], 'failed')).toBe(1)
      expect(await ledger.settledIn(id, 0, 4)).toEqual([true, false, true, false])
      expect(await ledger.summary(id)).toEqual({ ...NOTHING, done: 1, bytes: 10, failed: 1 })
      expect((await collect(ledger.errors(id))).map(({ n }) => n)).toEqual([2])
      expect(await ledger.crashed(id, 1)).toBe(1)
      expect(await ledger.settle(id, 1, DONE)).toBe(true)
    })

    it('many thousand lines can be reopened at once', async () => {
      const lines = Array.from({ length: 2500 }, (_, n) => n)
      await Promise.all(lines.map((n) => ledger.settle(id, n, FAILED)))
      expect(await ledger.reopen(id, lines, 'failed')).toBe(2500)
      expect(await ledger.firstOpen(id)).toBe(0)
      expect(await collect(ledger.errors(id))).toEqual([])
    })

    it('failed lines and their errors come in ascending order', async () => {
      const lines = [9, 0, 70_000, 8, 7, 131_072, 200_000]
      for (const n of lines) await ledger.settle(id, n, FAILED)
      const sorted = lines.toSorted((a, b) => a - b)
      expect(await collect(ledger.failed(id))).toEqual(sorted)
      expect(await collect(ledger.errors(id))).toEqual(sorted.map((n) => ({ n, ...FAILED.error })))
    })

    it('the first open line is found from the very start to beyond the end of the plan', async () => {
      for (let n = 0; n < 17; n += 1) {
        expect(await ledger.firstOpen(id)).toBe(n)
        await ledger.settle(id, n, n % 5 ? DONE : FAILED)
      }
      await ledger.settle(id, 40, DONE)
      expect(await ledger.firstOpen(id)).toBe(17)
    })

    it('any ranges of any settled lines are answered line by line', async () => {
      const lines = fc.uniqueArray(fc.nat(60), { maxLength: 40 })
      await fc.assert(
        fc.asyncProperty(lines, fc.nat(70), fc.nat(30), async (settled, from, length) => {
          const other = `p-${randomBytes(8).toString('hex')}`
          await ledger.open({ ...batch, id: other })
          await Promise.all(settled.map((n) => ledger.settle(other, n, DONE)))
          const expected = Array.from({ length }, (_, i) => settled.includes(from + i))
          expect(await ledger.settledIn(other, from, from + length)).toEqual(expected)
          let first = 0
          while (settled.includes(first)) first += 1
          expect(await ledger.firstOpen(other)).toBe(first)
          await ledger.forget(other)
        }),
        { numRuns: 60 },
      )
    })

    it('a line may be taken up while its batch is open, and it is planned and has not ended', async () => {
      await ledger.setPlanned(id, 5, 50, true)
      const open = (n: number): Promise<boolean> => ledger.isOpen(id, n, PUBLIC)
      expect([await open(3), await open(5)]).toEqual([true, false])
      await ledger.settle(id, 3, FAILED)
      expect([await open(3), await open(4)]).toEqual([false, true])
      await ledger.reopen(id, [3], 'failed')
      expect(await open(3)).toBe(true)
      for (const state of ['paused', 'cancelled', 'finished'] as const) {
        await ledger.setState(id, state)
        expect(await open(3)).toBe(false)
      }
      await ledger.forget(id)
      expect(await open(3)).toBe(false)
    })

    it('crashes add up until the line ends well', async () => {
      expect(await ledger.crashed(id, 4)).toBe(1)
      expect(await ledger.crashed(id, 4)).toBe(2)
      expect(await ledger.crashed(id, 5)).toBe(1)
    })

    it('what is kept of a line is known until it ends, and of very many lines some are forgotten', async () => {
      await ledger.keepPart(id, 3, 5_000_000_000)
      await ledger.keepPart(id, 4, 10)
      await ledger.keepPart(id, 4, 20)
      await ledger.settle(id, 3, DONE)
      expect(await ledger.parts(id)).toEqual(new Map([[4, 20]]))
      const held = [3, 4, 5].map((n) => ({ n, bytes: 30 + n }))
      expect(await ledger.parts(id, held)).toEqual(
        new Map([
          [4, 34],
          [5, 35],
        ]),
      )
      await ledger.reopen(id, [3], 'failed')
      for (let n = 10; n < 1_200; n++) await ledger.keepPart(id, n, 1)
      expect((await ledger.parts(id)).size).toBeGreaterThanOrEqual(999)
      await ledger.forget(id)
      await ledger.keepPart(id, 4, 30)
      expect(await ledger.parts(id)).toEqual(new Map())
    })

    it('a forgotten batch leaves nothing behind', async () => {
      await ledger.settle(id, 0, FAILED)
      await ledger.forget(id)
      expect(await ledger.get(id)).toBeUndefined()
      expect((await ledger.list()).map((entry) => entry.id)).not.toContain(id)
      await ledger.open(batch)
      expect(await ledger.summary(id)).toEqual(NOTHING)
      expect(await collect(ledger.failed(id))).toEqual([])
    })

    it('nothing can be written to an unknown batch, and reading it finds everything open', async () => {
      await ledger.forget(id)
      const writes = [
        () => ledger.settle(id, 0, DONE),
        () => ledger.settleAll(id, [{ n: 0, state: 'done', bytes: 1 }]),
        () => ledger.reopen(id, [0], 'failed'),
        () => ledger.setState(id, 'paused'),
        () => ledger.setPlanned(id, 1, 1, true),
        () => ledger.crashed(id, 0),
        () => ledger.summary(id),
      ]
      for (const write of writes) await expect(write()).rejects.toMatchObject({ code: 'BATCH_NOT_FOUND' })
      expect(await ledger.settledIn(id, 0, 1)).toEqual([false])
      expect(await ledger.settledIn(id, 0, 3)).toEqual([false, false, false])
      expect(await ledger.firstOpen(id)).toBe(0)
      expect(await collect(ledger.failed(id))).toEqual([])
      expect(await collect(ledger.errors(id))).toEqual([])
    })
  })
}

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}
