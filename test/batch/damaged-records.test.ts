import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readAsked } from '../../src/batch/asked.ts'
import { listBatches, names, readBatch, readPlanState } from '../../src/batch/folder.ts'
import { readHold } from '../../src/batch/hold.ts'
import { allItems, isDamaged, ItemsReader, ItemsWriter } from '../../src/batch/items-file.ts'
import { LineSet } from '../../src/batch/line-set.ts'
import { Outcomes } from '../../src/batch/outcomes.ts'
import { reconcile } from '../../src/batch/reconcile.ts'
import { recordLines } from '../../src/batch/record.ts'
import { isReported, writeReport } from '../../src/batch/report.ts'
import { verifyDestination, type HashPath } from '../../src/batch/verify-destination.ts'
import { DataferryError } from '../../src/errors.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { memorySink, memoryStore } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { bytesOf, never, store } from '../contracts/sink-bytes.ts'
import { all, batchOf, done, failed, hashIn, itemAt, plannedBatch, recorded } from './fixtures.ts'

const BYTES = bytesOf(10)
const UNREADABLE = { code: 'RECORD_UNREADABLE' }

function lines(count: number) {
  return Array.from({ length: count }, (_, n) => itemAt(`f${n}`))
}

async function textOf(records: Records, name: string): Promise<string> {
  return Buffer.from((await records.read(name)) ?? []).toString('utf8')
}

/** A plan of `count` lines whose file was changed afterwards. */
async function damagedPlan(count: number, damage: (lines: string[]) => string[]) {
  const { records } = memorySink()
  const planned = await plannedBatch(records, lines(count))
  const whole = (await textOf(records, names.items('b1'))).split('\n').slice(0, -1)
  const left = damage(whole)
  await records.write(names.items('b1'), left.map((line) => `${line}\n`).join(''))
  return { records, ...planned }
}

it.each(['', 'b2', '../b1'])('a batch that says to be %j is damaged, and stands in nobody’s way', async (id) => {
  const { records } = memorySink()
  const { batch } = await plannedBatch(records, lines(1))
  await records.write(names.batch('b1'), JSON.stringify({ ...batch, id }))
  await expect(readBatch(records, 'b1')).rejects.toMatchObject(UNREADABLE)
  expect(await listBatches(records)).toEqual([])
})

it('a batch whose first record is gone is named, and its receipts still prove what they proved', async () => {
  const sink = memorySink()
  await plannedBatch(sink.records, lines(1))
  await recorded(sink.records, [done(0, 'f0', bytesOf(10))])
  await sink.records.remove(names.batch('b1'))
  const found = await all(verifyDestination(sink, { hash: () => Promise.resolve([]), signal: never }))
  expect(found).toMatchObject([
    { state: 'unreadable', path: '.dataferry/b1/batch.json', message: expect.stringContaining('is missing') as string },
    { state: 'missing', path: 'f0' },
  ])
})

it('a file that cannot be read, as of a disk with a bad sector, is changed, and the others are read', async () => {
  const sink = memorySink()
  await plannedBatch(sink.records, lines(2))
  for (const n of [0, 1]) {
    await recorded(sink.records, [done(n, `f${n}`, bytesOf(10))], `w${n}`)
    await store(sink, `f${n}`, bytesOf(10))
  }
  const hash: HashPath = (path, ...asked) =>
    path === 'f0'
      ? Promise.reject(new DataferryError('SINK_FAILED', 'Cannot read f0: EIO.'))
      : hashIn(sink)(path, ...asked)
  expect(await all(verifyDestination(sink, { hash, signal: never }))).toMatchObject([
    { state: 'changed', path: 'f0', found: { size: 10 }, why: 'Cannot read f0: EIO.' },
    { state: 'ok', path: 'f1' },
  ])
})

it('a plan that counts a billion lines is damaged, and nobody goes through them', async () => {
  const sink = memorySink()
  const { plan } = await plannedBatch(sink.records, lines(3))
  await sink.records.write(names.plan('b1'), JSON.stringify({ ...plan, items: 1e9 }))
  const found = await all(verifyDestination(sink, { hash: () => Promise.resolve([]), signal: never }))
  expect(found).toMatchObject([{ state: 'unreadable', path: '.dataferry/b1/plan.json' }])
})

it('receipts that are damaged or emptied are told as such, and a line torn by a crash is not', async () => {
  const sink = memorySink()
  await plannedBatch(sink.records, lines(2))
  const bytes = bytesOf(10)
  const name = `${names.receipts('b1')}/w.ndjson`
  const [first, last] = [done(0, 'f0', bytes), done(1, 'f1', bytes)].map((one) => `\n${JSON.stringify(one)}\n`)
  const unreadable = async (text: string): Promise<readonly string[]> => {
    await sink.records.write(name, text)
    const found = await all(verifyDestination(sink, { hash: () => Promise.resolve([]), signal: never }))
    return found.flatMap((one) => (one.state === 'unreadable' ? [one.message] : []))
  }
  expect(await unreadable(`${first}${last}`)).toEqual([])
  expect(await unreadable(`\n{"state":"done","n":0${first}${last}\n{"st`)).toEqual([])
  expect(await unreadable(`${first?.replace('{', '#{')}${last}`)).toEqual([
    `Line 2 of .dataferry/${name} is damaged: what was recorded there is lost.`,
  ])
  expect(await unreadable(`${first?.replace('{', '#{')}${last?.replace('{', '')}`)).toEqual([
    `2 lines of .dataferry/${name}, from line 2 on, are damaged: what was recorded there is lost.`,
  ])
  expect(await unreadable('')).toEqual([`.dataferry/${name} is empty: what it recorded is lost.`])
})

describe('a line of the plan that cannot be read', () => {
  const damages: readonly (readonly [string, (all: string[]) => string[], readonly number[]])[] = [
    ['is no JSON', (all) => all.with(1017, '\0'.repeat(300)), [1017]],
    ['is of a kind that no reader takes', (all) => all.with(3, all[3]?.replace('"file":1', '"file":-1') ?? ''), [3]],
    ['is lost', (all) => all.toSpliced(5, 1), [5]],
    [
      'is lost with its neighbours and others',
      (all) => all.toSpliced(990, 20).toSpliced(10, 1),
      [10, ...range(990, 1010)],
    ],
    ['carries the number of another', (all) => all.with(7, all[1100] ?? ''), [7]],
    ['was put among the others', (all) => all.toSpliced(1200, 0, '{"n":4,"foreign":true}', 'x'), []],
    ['has swallowed the next', (all) => all.toSpliced(20, 2, `${all[20] ?? ''}${all[21] ?? ''}`), [20, 21]],
  ]

  it.each(damages)('%s is a problem of that line alone', async (_, damage, hit) => {
    const { records } = await damagedPlan(1500, damage)
    const items = await all(allItems(records, 'b1', 1500))
    expect(items.filter(isDamaged).map(({ n }) => n)).toEqual(hit)
    for (const item of items) if (!isDamaged(item)) expect(item.path).toBe(`f${item.n}`)
    expect(items.find(isDamaged)?.problem ?? UNREADABLE).toMatchObject(UNREADABLE)
  })

  it.each([0, 8, 11])('is found without an index, or with %i bytes of one', async (bytes) => {
    const { records } = await damagedPlan(2500, (all) => all)
    const index = (await records.read(names.index('b1'))) ?? Buffer.alloc(0)
    await records.write(names.index('b1'), index.subarray(0, bytes))
    const reader = new ItemsReader(records, 'b1')
    for (const n of [2499, 0, 1000, 999, 2000]) expect((await reader.item(n)).path).toBe(`f${n}`)
    await records.write(names.index('b1'), Buffer.alloc(24, 0xff))
    expect((await new ItemsReader(records, 'b1').item(2499)).path).toBe('f2499')
  })

  it('is not taken for damage where all records are gone, as behind an unmounted disk', async () => {
    const memory = memoryStore()
    const { records } = memorySink(memory)
    await plannedBatch(records, lines(3))
    const reader = new ItemsReader(records, 'b1')
    memory.records.clear()
    await expect(reader.item(0)).rejects.toMatchObject({ code: 'SINK_UNAVAILABLE' })
  })

  it('does not keep planning from going on behind it, with an index that is right again', async () => {
    const { records, plan } = await damagedPlan(1500, (all) => all)
    await records.write(names.index('b1'), 'nonsense')
    const writer = await ItemsWriter.open(records, 'b1', plan)
    for (let n = 1500; n < 2100; n++) writer.add(itemAt(`f${n}`))
    await writer.flush()
    await writer.close()
    const index = Buffer.from((await records.read(names.index('b1'))) ?? [])
    expect(index.length).toBe(24)
    for (const n of [0, 1500, 2099]) expect((await new ItemsReader(records, 'b1').item(n)).path).toBe(`f${n}`)
  })

  it('that counts and is not there keeps planning from going on, instead of joining two plans', async () => {
    const { records, plan } = await damagedPlan(10, (all) => all.slice(0, 6))
    await expect(ItemsWriter.open(records, 'b1', plan)).rejects.toMatchObject(UNREADABLE)
  })
})

describe('outcomes of another plan', () => {
  it.each([3, 12, 1_000_000, 2 ** 52])('with number %i never count, nor take memory', async (n) => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, lines(5))
    const foreign = [done(n, 'foreign', BYTES), failed(n, 'SOURCE_DENIED', 'foreign')]
    await recorded(records, [done(0, 'f0', BYTES), ...foreign, failed(1, 'SHORT_BODY', 'f1')])
    const log = await records.appendTo('b1/receipts/w2.ndjson')
    await log.append(`\0\0\0\0\n${JSON.stringify(done(2, 'f2', BYTES))}\n{"state":"done","n":3,"path":"f3`)
    await log.close()
    expect(await writeReport(records, batch, plan)).toMatchObject({ planned: 5, done: 2, failed: 1, missing: 2 })
    const ledger = new MemoryLedger()
    await reconcile(ledger, records, batch, plan)
    expect(await ledger.summary('b1')).toMatchObject({ done: 2, failed: 1 })
    expect(await ledger.firstOpen('b1')).toBe(3)
    expect((await all(new Outcomes(records, 'b1').receipts())).length).toBe(3)
  })

  it('fill a set of numbers only where they are', () => {
    const numbers = new LineSet()
    fc.assert(
      fc.property(fc.maxSafeNat(), (n) => {
        const was = numbers.has(n)
        expect(numbers.add(n)).toBe(!was)
        expect(numbers.has(n)).toBe(true)
      }),
    )
  })

  it('with codes that are names of JavaScript are counted as any other', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, lines(3))
    const codes = ['__proto__', 'constructor', 'toString']
    await recorded(
      records,
      codes.map((code, n) => failed(n, code, `f${n}`)),
    )
    const { failures } = await writeReport(records, batch, plan)
    expect(Object.entries(failures).sort()).toEqual(codes.map((code) => [code, 1]).sort())
  })
})

describe('a record that is one document', () => {
  const documents: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['a part', '{"v":1,"id":"b1"'],
    ['another version', '{"v":2,"id":"b1"}'],
    ['nested without end', '['.repeat(100_000)],
    ['a number', '7'],
  ]

  it.each(documents)('and holds %s ends in one sentence, and stands in nobody’s way', async (_, text) => {
    const sink = memorySink()
    const { records } = sink
    await plannedBatch(records, [itemAt('mine')], batchOf('b2'))
    await recorded(records, [done(0, 'mine', BYTES)], 'w1', 'b2')
    await store(sink, 'mine', BYTES)
    for (const name of [names.batch('b1'), names.plan('b1'), names.asked('b1', 0)]) await records.write(name, text)
    for (const read of [readBatch(records, 'b1'), readPlanState(records, 'b1'), readAsked(records, 'b1', 0)]) {
      await expect(read).rejects.toMatchObject(UNREADABLE)
    }
    const told: string[] = []
    const batches = await listBatches(records, (id, { message }) => told.push(`${id}: ${message}`))
    expect(batches.map(({ id }) => id)).toEqual(['b2'])
    expect(told).toEqual([expect.stringMatching(/^b1: \.dataferry\/b1\/batch\.json is (damaged|from another version)/)])
    const found = await all(verifyDestination(sink, { hash: () => Promise.resolve([]), signal: never }))
    expect(found.filter(({ state }) => state === 'unreadable')).toHaveLength(2)
    expect(found.filter(({ state }) => state === 'size-only')).toHaveLength(1)
  })

  it('says of another version that it is one', async () => {
    const { records } = memorySink()
    await records.write(names.batch('b1'), JSON.stringify({ ...batchOf(), v: 2 }))
    await expect(readBatch(records, 'b1')).rejects.toThrow(
      'another version of dataferry (format 2; this one reads format 1)',
    )
  })

  it('and was a report is made again, and was a hold still holds', async () => {
    const { records } = memorySink()
    const { batch, plan } = await plannedBatch(records, lines(1))
    await writeReport(records, batch, plan)
    expect(await isReported(records, 'b1')).toBe(true)
    await records.write(names.report('b1'), '{"v":1,')
    expect(await isReported(records, 'b1')).toBe(false)
    await records.write(names.hold('b1'), '{"v":1,')
    expect(await readHold(records, 'b1')).toMatchObject({ state: 'paused' })
  })
})

describe('the lines of a log', () => {
  it('are the same wherever its chunks end, with their offsets', async () => {
    const log = fc.array(fc.string({ unit: fc.constantFrom('a', 'ü', '\n', '\0', '"') }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(log, async (pieces) => {
        const text = pieces.join('')
        const chunks = async function* () {
          for (const piece of pieces) yield await Promise.resolve(Buffer.from(piece))
        }
        const found = await all(recordLines(chunks()))
        expect(found.map((line) => line.text)).toEqual(text.split('\n').slice(0, -1))
        for (const { text: line, from, to } of found) {
          expect(Buffer.from(text).subarray(from, to).toString()).toBe(`${line ?? ''}\n`)
        }
      }),
    )
  })
})

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}
