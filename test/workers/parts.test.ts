import { DelayedError, WaitingError } from 'bullmq'
import { describe, expect, it } from 'vitest'
import { readReport } from '../../src/batch/report.ts'
import { DataferryError } from '../../src/errors.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { Batches } from '../../workers/batches.ts'
import { processControl } from '../../workers/control.ts'
import { carryOut, type Step } from '../../workers/step.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { itemFor, scriptedSource } from '../transfer/scripted-source.ts'
import { createLogger } from '../../src/log.ts'
import { deskFor } from './fixtures.ts'

const BYTES = bytesOf(100)

describe('a step', () => {
  async function carriedOut(step: Step): Promise<{ calls: string[]; thrown: unknown }> {
    const calls: string[] = []
    const note = (call: string): Promise<number> => Promise.resolve(calls.push(call))
    const job = {
      data: { n: 1 },
      updateData: (data: object) => note(`data ${JSON.stringify(data)}`).then(() => undefined),
      moveToWait: (token?: string) => note(`wait ${token}`),
      moveToDelayed: (_at: number, token?: string) => note(`delay ${token}`).then(() => undefined),
    }
    const thrown = await carryOut(step, job, 't', (work) => work()).catch((error: unknown) => error)
    return { calls, thrown }
  }

  it('that is over lets the job end', async () => {
    expect(await carriedOut({ kind: 'over' })).toEqual({ calls: [], thrown: undefined })
  })

  it('that uses no attempt is said in the words of BullMQ', async () => {
    const back = await carriedOut({ kind: 'hand-back' })
    expect(back.calls).toEqual(['wait t'])
    expect(back.thrown).toBeInstanceOf(WaitingError)
    const later = await carriedOut({ kind: 'later', ms: 5 })
    expect(later.calls).toEqual(['delay t'])
    expect(later.thrown).toBeInstanceOf(DelayedError)
  })

  it('has its job remember that the download was counted, before another worker may have it', async () => {
    const { calls } = await carriedOut({ kind: 'hand-back', counted: true })
    expect(calls).toEqual(['data {"n":1,"counted":true}', 'wait t'])
  })

  it('that uses an attempt puts the code first, as only the text is kept', async () => {
    const error = new DataferryError('SHORT_BODY', 'It broke.')
    expect((await carriedOut({ kind: 'retry', error })).thrown).toMatchObject({ message: 'SHORT_BODY It broke.' })
    expect((await carriedOut({ kind: 'retry', error: 'x' })).thrown).toMatchObject({ message: 'x' })
  })
})

describe('the end of a batch', () => {
  it('is on record before the ledger says so, and may be repeated', async () => {
    const items = [itemFor(BYTES), { ...itemFor(BYTES), path: 'b' }]
    const denied = new DataferryError('SOURCE_DENIED', 'No.')
    const desk = await deskFor(items, scriptedSource(BYTES, [{}, { refuse: denied }]))
    for (const n of [0, 1]) await desk.work({ n })
    const feed = (): Promise<void> => Promise.reject(new Error('nothing is to be fed'))
    for (let time = 0; time < 2; time++) {
      await processControl({ v: 1, task: 'report', batch: 'b1' }, { ledger: desk.ledger, batches: desk.batches, feed })
      const report = await readReport(desk.sink.records, 'b1')
      expect(report).toMatchObject({ planned: 2, done: 1, failed: 1, missing: 0, complete: false })
      expect(await desk.ledger.get('b1')).toMatchObject({ state: 'finished' })
      expect(await desk.ledger.summary('b1')).toMatchObject({ done: 1, failed: 1, bytes: 100 })
    }
  })

  it('of a batch that nobody knows is nothing', async () => {
    const desk = await deskFor([itemFor(BYTES)], scriptedSource(BYTES))
    const feed = (): Promise<void> => Promise.resolve()
    const deps = { ledger: desk.ledger, batches: desk.batches, feed }
    await expect(processControl({ v: 1, task: 'report', batch: 'b9' }, deps)).resolves.toBeUndefined()
  })
})

describe('the batches of a process', () => {
  it('are opened once, and again after they were not there or their destination was away', async () => {
    const { ledger, sink } = await deskFor([itemFor(BYTES)], scriptedSource(BYTES))
    let away = true
    let opens = 0
    const open = (): Promise<Sink> => {
      opens++
      return away ? Promise.reject(new DataferryError('SINK_UNAVAILABLE', 'Away.')) : Promise.resolve(sink)
    }
    const batches = new Batches(ledger, open, 'w1', createLogger('silent'))
    expect(await batches.open('b9')).toBeUndefined()
    await expect(batches.open('b1')).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
    away = false
    const [first, second] = await Promise.all([batches.open('b1'), batches.open('b1')])
    expect(first).toBe(second)
    expect(first?.batch.id).toBe('b1')
    expect(opens).toBe(2)
    await ledger.open({ id: 'b2', destination: sink.url, servers: [], createdAt: 'now' })
    expect(await batches.open('b2')).toBeUndefined()
    await batches.close()
  })

  it('are released once they have ended elsewhere, but not while one is worked on', async () => {
    const { ledger, batches } = await deskFor([itemFor(BYTES)], scriptedSource(BYTES))
    const first = await batches.open('b1')
    await batches.releaseEnded(() => false)
    expect(await batches.open('b1')).toBe(first)
    await ledger.setState('b1', 'finished')
    await batches.releaseEnded((id) => id === 'b1')
    expect(await batches.open('b1')).toBe(first)
    await batches.releaseEnded(() => false)
    const second = await batches.open('b1')
    expect(second).not.toBe(first)
    await ledger.forget('b1')
    await batches.releaseEnded(() => false)
    expect(await batches.open('b1')).toBeUndefined()
  })

  it('close what they opened, though a destination cannot be reached', async () => {
    const { ledger } = await deskFor([itemFor(BYTES)], scriptedSource(BYTES))
    const batches = new Batches(ledger, () => Promise.reject(new Error('away')), 'w1', createLogger('silent'))
    await expect(batches.open('b1')).rejects.toThrow('away')
    await expect(batches.close()).resolves.toBeUndefined()
    expect(memorySink().url).toBe('memory://')
  })
})
