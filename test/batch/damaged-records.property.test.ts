import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { writeAsked } from '../../src/batch/asked.ts'
import { names, readBatch } from '../../src/batch/folder.ts'
import { EarlierBatches } from '../../src/batch/earlier-batches.ts'
import { reconcile } from '../../src/batch/reconcile.ts'
import { isUnreadable } from '../../src/batch/record.ts'
import { writeReport } from '../../src/batch/report.ts'
import { verifyDestination } from '../../src/batch/verify-destination.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { planLeftOut } from '../../src/plan/left-out.ts'
import { openPlan } from '../../src/plan/open-plan.ts'
import { memorySink, memoryStore, type MemoryStore } from '../../src/sinks/memory/memory-sink.ts'
import { bytesOf, never } from '../contracts/sink-bytes.ts'
import { rounds } from '../rounds.ts'
import { all, batchOf, done, failed, itemAt, plannedBatch, recorded } from './fixtures.ts'

const BYTES = bytesOf(10)
const LINES = 40
const MANIFEST = Array.from({ length: LINES }, (_, n) => `${n + 1}\n`).join('')

/** A batch of which some lines have ended; line 0 is an archive that lacks a file. */
async function begun(): Promise<MemoryStore> {
  const store = memoryStore()
  const { records } = memorySink(store)
  const archive = itemAt('all.zip', { ref: { kind: 'zip', files: [1, 2], format: 'original' }, expect: {}, line: 1 })
  const items = [archive, ...Array.from({ length: LINES - 1 }, (_, n) => itemAt(`f${n + 1}`, { line: n + 2 }))]
  const sha256 = createHash('sha256').update(MANIFEST).digest('hex')
  const manifest = { name: 'm', format: 'list', sha256, entries: LINES }
  await plannedBatch(records, items, batchOf('b1', { manifest }))
  await records.write(names.manifest('b1'), MANIFEST)
  await writeAsked(records, 'b1', 0, { files: [{ id: 2, label: 'x', directory: '', tabular: false }], unknown: [] })
  const leftOut = [{ id: 2, path: 'x', reason: 'missing' }]
  await recorded(records, [done(0, 'all.zip', BYTES, { leftOut }), done(1, 'f1', BYTES), failed(2, 'SHORT_BODY', 'f2')])
  await recorded(records, [done(2, 'f2', BYTES), failed(4, 'SOURCE_DENIED', 'f4')], 'w2')
  return store
}

/** What is written over a record, or in its place. */
const damages = fc.record({
  record: fc.nat(),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  removed: fc.nat(200),
  put: fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.constantFrom(
      '\0'.repeat(300),
      '\n\n',
      '{"v":2}',
      '{"n":0,',
      `${JSON.stringify(done(7, 'f7', BYTES))}\n`,
      '-1',
      'null',
    ),
  ),
})

/** Waits for what may end with the one code that damage has. */
async function orUnreadable<T>(work: Promise<T>): Promise<T | undefined> {
  return work.catch((error: unknown) => {
    if (isUnreadable(error)) return undefined
    throw error
  })
}

it('whatever stands in records, nothing crashes and every count adds up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(damages, { minLength: 1, maxLength: 3 }), async (some) => {
      const store = await begun()
      const sink = memorySink(store)
      const { records } = sink
      for (const { record, from, removed, put } of some) {
        const name = [...store.records.keys()].sort()[record % store.records.size] ?? ''
        const bytes = Buffer.from((await records.read(name)) ?? [])
        const at = Math.floor(from * bytes.length)
        await records.write(
          name,
          Buffer.concat([bytes.subarray(0, at), Buffer.from(put), bytes.subarray(at + removed)]),
        )
      }
      const found = await all(verifyDestination(sink, { hash: () => Promise.resolve(undefined), signal: never }))
      expect(found.length).toBeGreaterThan(0)
      await new EarlierBatches(records, 'another').find({ n: 0, ...itemAt('f1') })
      const batch = await orUnreadable(readBatch(records, 'b1'))
      const plan = batch && (await orUnreadable(openPlan(records, batch)))
      if (!batch || !plan) return
      const whole = (await orUnreadable(planLeftOut(records, 'b1', plan))) ?? plan
      const report = await writeReport(records, batch, whole)
      expect(report.done + report.kept + report.failed + report.missing).toBe(whole.items)
      expect(Math.min(report.missing, report.failed, report.done, report.bytes, report.leftOut)).toBeGreaterThanOrEqual(
        0,
      )
      const ledger = new MemoryLedger()
      await reconcile(ledger, records, batch, whole)
      expect(await ledger.summary('b1')).toMatchObject({ done: report.done, kept: report.kept, failed: report.failed })
      expect(await ledger.firstOpen('b1')).toBeLessThanOrEqual(whole.items)
    }),
    rounds(300),
  )
})
