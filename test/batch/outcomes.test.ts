import { describe, expect, it } from 'vitest'
import { OutcomeWriter, readOutcomes } from '../../src/batch/outcome-log.ts'
import { Outcomes } from '../../src/batch/outcomes.ts'
import { reconcile } from '../../src/batch/reconcile.ts'
import { DataferryError } from '../../src/errors.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'
import { all, done, failed, itemAt, plannedBatch, recorded, waits } from './fixtures.ts'

const BYTES = bytesOf(100)

describe('outcomes on record', () => {
  it('survive torn lines, foreign lines and several writers', async () => {
    const { records } = memorySink()
    await recorded(records, [done(0, 'a', BYTES)], 'w1')
    const log = await records.appendTo('b1/receipts/w1.ndjson')
    await log.append('{"state":"done","n":7,"pa')
    await log.close()
    await recorded(records, [done(1, 'b', BYTES), failed(2, 'SOURCE_DENIED')], 'w1')
    await recorded(records, [done(3, 'ü', BYTES)], 'w2')
    const other = await records.appendTo('b1/receipts/w3.ndjson')
    await other.append('{"state":"future","n":9}\nno json\n\n{"state":"done","n":8,"path":"x"')
    await other.close()
    const found = await all(readOutcomes(records, 'b1'))
    expect(found.map(({ n }) => n).sort()).toEqual([0, 1, 2, 3])
    expect(found.find(({ n }) => n === 3)).toEqual(done(3, 'ü', BYTES))
  })

  it('are read whole wherever the chunks of a file end', async () => {
    const text = Buffer.from(`\n${JSON.stringify(done(0, 'übergrößenträger', BYTES))}\n`)
    const { records } = memorySink()
    const cut: Records = {
      ...records,
      list: () => Promise.resolve(['b1/receipts/w1.ndjson']),
      streamLog: async function* () {
        for (let at = 0; at < text.length; at += 7) yield await Promise.resolve(text.subarray(at, at + 7))
      },
    }
    expect(await all(readOutcomes(cut, 'b1'))).toEqual([done(0, 'übergrößenträger', BYTES)])
  })

  it('are taken again after the destination was away for a while', async () => {
    const { records } = memorySink()
    let away: DataferryError | undefined = new DataferryError('SINK_FULL', 'No space is left.')
    const shaky: Records = {
      ...records,
      async appendTo(name, length) {
        if (away) throw away
        const log = await records.appendTo(name, length)
        return {
          length: log.length,
          append: async (data) => {
            if (away) throw away
            await log.append(data)
          },
          close: () => log.close(),
        }
      },
    }
    const writer = new OutcomeWriter(shaky, 'b1', 'w1')
    await expect(writer.record(done(0, 'a', BYTES))).rejects.toBe(away)
    away = undefined
    await writer.record(done(0, 'a', BYTES))
    away = new DataferryError('SINK_FAILED', 'The disk is gone.')
    await expect(writer.record(done(1, 'b', BYTES))).rejects.toBe(away)
    away = undefined
    await writer.record(done(1, 'b', BYTES)).catch(() => writer.record(done(1, 'b', BYTES)))
    await writer.close()
    expect((await all(readOutcomes(records, 'b1'))).map(({ n }) => n)).toEqual([0, 1])
  })

  it('leave no file when there are none, and are not taken after the end', async () => {
    const { records } = memorySink()
    const writer = new OutcomeWriter(records, 'b1', 'w1')
    await writer.close()
    expect(await records.list('b1/receipts')).toEqual([])
    await expect(writer.record(done(0, 'a', BYTES))).rejects.toMatchObject({ code: 'SINK_FAILED' })
  })
})

describe('the one outcome of an item', () => {
  it('is its receipt, whatever failed before or after', async () => {
    const { records } = memorySink()
    await recorded(records, [failed(0, 'SOURCE_FAILED'), done(0, 'a', BYTES), failed(0, 'SHORT_BODY')])
    const outcomes = new Outcomes(records, 'b1')
    expect(await all(outcomes.receipts())).toHaveLength(1)
    expect(await all(outcomes.failures())).toEqual([])
  })

  it('is the first fetch rather than what was found there later', async () => {
    const { records } = memorySink()
    await recorded(records, [done(0, 'a', BYTES, { state: 'kept' })], 'w1')
    await recorded(records, [done(0, 'a', BYTES), done(0, 'a', BYTES, { resumedFrom: 5 })], 'w2')
    const receipts = await all(new Outcomes(records, 'b1').receipts())
    expect(receipts).toEqual([done(0, 'a', BYTES)])
  })

  it('is read from a receipt of version 1, which knew one checksum', async () => {
    const { records } = memorySink()
    const first = { ...done(0, 'a', BYTES), v: undefined }
    const second = done(1, 'b', BYTES, { digests: [checksumOf(BYTES, 'sha512')] })
    const lines = [first, second, { ...second, n: 2, v: 3 }].map((line) => JSON.stringify(line))
    await records.write('b1/receipts/w1.ndjson', `${lines.join('\n')}\n`)
    expect(await all(new Outcomes(records, 'b1').receipts())).toEqual([{ ...first, v: 2 }, second])
  })

  it('is its last failure, whoever recorded it', async () => {
    const { records } = memorySink()
    await recorded(records, [failed(0, 'SOURCE_DENIED', 'a', 9), failed(1, 'SHORT_BODY')], 'w1')
    await recorded(records, [failed(0, 'SOURCE_FAILED', 'a', 3), failed(0, 'SHORT_BODY', 'a', 4)], 'w2')
    const failures = await all(new Outcomes(records, 'b1').failures())
    expect(Object.fromEntries(failures.map(({ n, code }) => [n, code]))).toEqual({
      0: 'SOURCE_DENIED',
      1: 'SHORT_BODY',
    })
  })

  it('is a wait, unless it has failed or come since', async () => {
    const { records } = memorySink()
    await recorded(records, [waits(0), waits(1), waits(2), failed(3, 'X', 'p3', 1), waits(4, 'p4', 1)], 'w1')
    await recorded(records, [done(1, 'p1', BYTES), failed(2, 'X', 'p2', 3), waits(3, 'p3', 3), waits(4, 'p4', 3)], 'w2')
    const outcomes = new Outcomes(records, 'b1')
    const waiting = await all(outcomes.waiting())
    expect(waiting.map(({ n }) => n).sort()).toEqual([0, 3, 4])
    expect(await all(outcomes.failures())).toEqual([failed(2, 'X', 'p2', 3)])
    expect(await outcomes.tally()).toMatchObject({ done: 1, failed: 1, waiting: 3, waitingFor: { access: 3 } })
    const ledger = new MemoryLedger()
    const { batch, plan } = await plannedBatch(
      records,
      [0, 1, 2, 3, 4].map((n) => itemAt(`p${n}`)),
    )
    expect(await reconcile(ledger, records, batch, plan)).toBe(5)
    expect(await ledger.summary('b1')).toMatchObject({ done: 1, failed: 1, waiting: 3 })
  })

  it('is counted once', async () => {
    const { records } = memorySink()
    const kept = done(1, 'b', bytesOf(30), { state: 'kept', verified: 'size' })
    await recorded(records, [done(0, 'a', BYTES, { resumedFrom: 4 }), kept, failed(2, 'SOURCE_DENIED')], 'w1')
    await recorded(records, [done(0, 'a', BYTES), kept, failed(2, 'SHORT_BODY', 'c', 5), failed(3, 'SHORT_BODY')], 'w2')
    expect(await new Outcomes(records, 'b1').tally()).toMatchObject({
      done: 1,
      kept: 1,
      failed: 2,
      bytes: 100,
      keptBytes: 30,
      resumed: 1,
      verified: { checksum: 1, size: 1, structure: 0, nothing: 0 },
      failures: { SHORT_BODY: 2 },
    })
  })
})
