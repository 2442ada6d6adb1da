import { expect, it } from 'vitest'
import type { Finding } from '../../../src/batch/verify-destination.ts'
import { ResultsKeeper } from '../../../src/proof/verify/keep-results.ts'
import { mergePending, names, readResults } from '../../../src/proof/verify/results.ts'
import { readVerifySummary, readWithin, type VerifyRun } from '../../../src/proof/verify/summary.ts'
import { memorySink } from '../../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../../src/sinks/sink.ts'
import { all } from '../../batch/fixtures.ts'
import { checksumOf } from '../../contracts/hash.ts'
import { bytesOf } from '../../contracts/sink-bytes.ts'

const GOOD = checksumOf(bytesOf(100))
const BAD = checksumOf(bytesOf(100, 2))

const right = (path: string): Finding => ({ state: 'ok', path, size: 100, checksum: GOOD })
const rotten = (path: string): Finding => ({
  state: 'changed',
  kind: 'bit-rot',
  path,
  batch: 'b1',
  n: 0,
  expected: { size: 100, checksum: GOOD },
  found: { size: 100, checksum: BAD },
})
const missing = (path: string): Finding => ({ state: 'missing', path, batch: 'b1', n: 0, expected: { size: 100 } })

const never = (path: string): Finding => ({ state: 'unfetched', path, batch: 'b1', n: 9, why: undefined })

const on = (day: number) => (): Date => new Date(Date.UTC(2026, 0, day, 12))

async function begun(records: Records, day: number, findings: readonly Finding[]): Promise<ResultsKeeper> {
  const keeper = await ResultsKeeper.open(records, { now: on(day), by: '1.2.3' })
  for (const finding of findings) await keeper.add(finding)
  return keeper
}

function run(mode: VerifyRun['mode'], day: number): VerifyRun {
  const at = on(day)().toISOString()
  const none = { files: 0, bytes: 0 }
  return { mode, startedAt: at, endedAt: at, by: '1.2.3', read: none, held: none, neverRead: none, found: {} }
}

async function verified(records: Records, mode: VerifyRun['mode'], day: number, ...found: Finding[]): Promise<void> {
  await (await begun(records, day, found)).end(run(mode, day))
}

it('keeps the newest result of every path, by path, with its time, version and digest', async () => {
  const { records } = memorySink()
  await verified(records, 'rolling', 1, right('b'), rotten('a b'), missing('ä'))
  await verified(records, 'rolling', 2, right('c'), right('a b'))
  const at = (day: number): string => on(day)().toISOString()
  expect(await all(readResults(records))).toEqual([
    { path: 'a b', state: 'ok', at: at(2), by: '1.2.3', size: 100, checksum: GOOD },
    { path: 'b', state: 'ok', at: at(1), by: '1.2.3', size: 100, checksum: GOOD },
    { path: 'c', state: 'ok', at: at(2), by: '1.2.3', size: 100, checksum: GOOD },
    { path: 'ä', state: 'missing', at: at(1), by: '1.2.3', expected: { size: 100 }, batch: 'b1' },
  ])
})

it('a whole verification forgets what it has not met, a rolling one only what it drops', async () => {
  const { records } = memorySink()
  await verified(records, 'full', 1, right('a'), right('b'), right('c'))
  const rolling = await begun(records, 2, [])
  await rolling.drop('a')
  await rolling.end(run('rolling', 2))
  expect((await all(readResults(records))).map(({ path }) => path)).toEqual(['b', 'c'])
  await verified(records, 'full', 3, right('c'))
  expect((await all(readResults(records))).map(({ path }) => path)).toEqual(['c'])
})

it('what a run that was cut short has seen counts from the next one on, also where its last line is torn', async () => {
  const { records } = memorySink()
  await verified(records, 'full', 1, right('a'), right('b'))
  await (await begun(records, 2, [rotten('b')])).close()
  const log = await records.appendTo(names.pending)
  await log.append('{"path":"a","sta')
  await log.close()
  await mergePending(records, on(3)())
  expect((await all(readResults(records))).map(({ path, state }) => [path, state])).toEqual([
    ['a', 'ok'],
    ['b', 'changed'],
  ])
  const summary = await readVerifySummary(records)
  expect(summary).toMatchObject({ last: { startedAt: on(1)().toISOString() }, open: { changed: 1 } })
  expect(await records.list('verified')).toEqual(['verified/summary.json', 'verified/verified.ndjson'])
})

it('the summary tells what is open, what was read within some days, and what was read longest ago', async () => {
  const { records } = memorySink()
  await verified(records, 'full', 1, right('a'), right('b'), right('c'))
  await verified(
    records,
    'rolling',
    20,
    right('c'),
    rotten('b'),
    missing('d'),
    { state: 'extra', path: 'e', size: 7 },
    never('f'),
  )
  const summary = await readVerifySummary(records)
  if (!summary) throw new Error('no summary')
  expect(summary).toMatchObject({
    oldest: { path: 'a', at: on(1)().toISOString() },
    open: { missing: 1, changed: 1, extra: 1, unfetched: 1 },
    last: { mode: 'rolling', startedAt: on(20)().toISOString() },
    lastFull: { mode: 'full', startedAt: on(1)().toISOString() },
  })
  const at = on(20)().toISOString()
  expect(summary.findings).toEqual([
    { path: 'b', state: 'changed', at, batch: 'b1' },
    { path: 'd', state: 'missing', at, batch: 'b1' },
    { path: 'e', state: 'extra', at },
    { path: 'f', state: 'unfetched', at, batch: 'b1' },
  ])
  expect(summary.openOf).toEqual([{ batch: 'b1', missing: 1, changed: 1, unfetched: 1 }])
  expect(readWithin(summary, 30, on(25)())).toEqual({ files: 3, bytes: 300 })
  expect(readWithin(summary, 7, on(25)())).toEqual({ files: 2, bytes: 200 })
  expect(readWithin(summary, 3, on(25)())).toEqual({ files: 0, bytes: 0 })
})

it('the summary stays small however much is open, names those with the most, and is read without its lists', async () => {
  const { records } = memorySink()
  const lost = Array.from({ length: 300 }, (_, i): Finding => ({
    state: 'missing',
    path: `p${String(i).padStart(3, '0')}`,
    expected: { size: 100 },
    batch: i < 290 ? `b${i % 145}` : 'most',
    n: i,
    ...(i === 299 && { mirror: 'm' }),
  }))
  await verified(records, 'full', 1, ...lost)
  const summary = await readVerifySummary(records)
  expect(summary?.open.missing).toBe(300)
  expect([summary?.findings.length, summary?.openOf.length]).toEqual([100, 100])
  expect(summary?.openOf[0]).toEqual({ batch: 'most', missing: 9, changed: 0, unfetched: 0 })
  const { findings, openOf, ...older } = summary ?? {}
  expect(findings).not.toEqual(openOf)
  await records.write('verified/summary.json', JSON.stringify(older))
  expect(await readVerifySummary(records)).toMatchObject({ open: { missing: 300 }, findings: [], openOf: [] })
})

it('a damaged result counts as not seen, and a damaged summary as none', async () => {
  const { records } = memorySink()
  await verified(records, 'full', 1, right('a'), right('b'))
  const text = Buffer.from((await records.read(names.results)) ?? []).toString()
  await records.write(names.results, text.replace('"ok"', '"fine"'))
  expect((await all(readResults(records))).map(({ path }) => path)).toEqual(['b'])
  await records.write('verified/summary.json', '{')
  expect(await readVerifySummary(records)).toBeUndefined()
})
