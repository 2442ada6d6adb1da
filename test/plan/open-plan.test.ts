import { createHash } from 'node:crypto'
import { expect, describe, it } from 'vitest'
import { EMPTY_PLAN, names, readPlanState, writeBatch, writePlanState } from '../../src/batch/folder.ts'
import { isDamaged } from '../../src/batch/items-file.ts'
import type { Batch, PlanState } from '../../src/model/batch.ts'
import { manifestBytes } from '../../src/plan/manifest-copy.ts'
import { entriesOf } from '../../src/plan/intake.ts'
import { openPlan } from '../../src/plan/open-plan.ts'
import { plan } from '../../src/plan/planner.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import type { Records } from '../../src/sinks/sink.ts'
import { batchOf, done, recorded } from '../batch/fixtures.ts'
import { bytesOf, never } from '../contracts/sink-bytes.ts'
import { catalogueOf, listed } from './catalogue.ts'
import { BATCH, itemsIn, SERVER, textIn } from './planning.ts'

const BYTES = bytesOf(10)
const PIDS = ['A', 'B', 'C'].map((name) => `doi:10.5072/FK2/${name}`)
const DATASETS = Object.fromEntries(
  PIDS.map((pid, at) => [pid, [{ version: '1.0', files: [0, 1, 2, 3].map((n) => listed(10 * at + n + 1)) }]]),
)
const MANIFEST = [...PIDS, PIDS[0] ?? ''].join('\n')

async function begun(records: Records): Promise<Batch> {
  const sha256 = createHash('sha256').update(MANIFEST).digest('hex')
  const batch = batchOf(BATCH, { manifest: { name: 'm', format: 'list', sha256, entries: 4 } })
  await records.write(names.manifest(BATCH), MANIFEST)
  await writeBatch(records, batch)
  return batch
}

async function goOn(records: Records, batch: Batch, from: PlanState): Promise<PlanState> {
  const entries = entriesOf(manifestBytes(records, BATCH), batch.manifest, batch.servers)
  const catalogue = () => catalogueOf(DATASETS)
  const request = { batch: BATCH, entries, defaultServer: SERVER, format: 'original' as const, records, catalogue }
  return plan({ ...request, from, signal: never })
}

/** A whole plan of three datasets with four files each, the first of which is asked for twice. */
async function planned() {
  const { records } = memorySink()
  const batch = await begun(records)
  const state = await goOn(records, batch, EMPTY_PLAN)
  expect(state).toMatchObject({ items: 12, complete: true, totals: { duplicates: 4 } })
  return { records, batch, state, text: await textIn(records) }
}

async function cutTo(records: Records, lines: number): Promise<string> {
  const text = Buffer.from((await records.read(names.items(BATCH))) ?? []).toString('utf8')
  const left = text
    .split('\n')
    .slice(0, lines)
    .map((line) => `${line}\n`)
    .join('')
  await records.write(names.items(BATCH), left)
  return left
}

describe('a plan whose state is lost', () => {
  it.each(['', '{"entries":4,', '{"entries":4,"items":5000,"bytes":10,"complete":true,"totals":{}}', undefined])(
    'as %j is made again from its lines, and comes to the same end',
    async (damaged) => {
      for (const lines of [12, 9, 8, 1, 0]) {
        const { records, batch, state, text } = await planned()
        await cutTo(records, lines)
        if (lines > 0) await recorded(records, [done(0, 'doi-10.5072-FK2-A/f1.bin', BYTES)], 'w', BATCH)
        if (damaged === undefined) await records.remove(names.plan(BATCH))
        else await records.write(names.plan(BATCH), damaged)
        const from = await openPlan(records, batch)
        expect(from).toMatchObject({ items: lines, complete: false })
        expect(await goOn(records, batch, from)).toEqual({
          ...state,
          totals: { ...state.totals, datasets: expect.any(Number) as number },
        })
        expect(await textIn(records)).toBe(text)
        expect(await openPlan(records, batch)).toEqual(await readPlanState(records, BATCH))
      }
    },
  )

  it('keeps the numbers of lines that have ended, although they cannot be read', async () => {
    const { records, batch } = await planned()
    await cutTo(records, 9)
    const text = Buffer.from((await records.read(names.items(BATCH))) ?? []).toString('utf8')
    await records.write(names.items(BATCH), text.replace(/\{"n":8,.*\n$/, 'noise\n'))
    await records.write(names.plan(BATCH), '')
    await recorded(records, [done(8, 'doi-10.5072-FK2-C/f21.bin', BYTES)], 'w', BATCH)
    const state = await goOn(records, batch, await openPlan(records, batch))
    const items = await itemsIn(records, state.items)
    expect(items.filter(isDamaged).map(({ n }) => n)).toEqual([8])
    expect(new Set(items.map(({ path }) => path)).size).toBe(13)
  })

  it('is given up where lines have ended of which nothing is left', async () => {
    const { records, batch } = await planned()
    await cutTo(records, 5)
    await records.write(names.plan(BATCH), '')
    await recorded(records, [done(7, 'doi-10.5072-FK2-B/f14.bin', BYTES)], 'w', BATCH)
    await expect(openPlan(records, batch)).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
  })

  it('does not go on from a copy of the manifest that is damaged', async () => {
    const { records, batch } = await planned()
    await records.write(names.plan(BATCH), '')
    await records.write(names.manifest(BATCH), MANIFEST.replace('A', 'Z'))
    await expect(openPlan(records, batch)).rejects.toMatchObject({ code: 'RECORD_UNREADABLE' })
  })
})

describe('a plan whose lines are lost', () => {
  it('is planned again from there on', async () => {
    const { records, batch, text, state } = await planned()
    await cutTo(records, 6)
    await recorded(records, [done(5, 'doi-10.5072-FK2-B/f12.bin', BYTES)], 'w', BATCH)
    const again = await goOn(records, batch, await openPlan(records, batch))
    expect(again.items).toBe(state.items)
    expect(await textIn(records)).toBe(text)
  })

  it('goes on behind one that is lost in the middle without a trace, which alone fails', async () => {
    const { records, batch, state } = await planned()
    const text = Buffer.from((await records.read(names.items(BATCH))) ?? []).toString('utf8')
    const lost = text.split('\n').toSpliced(3, 1).slice(0, 7)
    await records.write(names.items(BATCH), lost.map((line) => `${line}\n`).join(''))
    const cut = {
      ...state,
      complete: false,
      entries: 2,
      items: 8,
      bytes: Buffer.byteLength(text.split('\n').slice(0, 8).join('\n')) + 1,
    }
    await writePlanState(records, BATCH, cut)
    await recorded(records, [done(5, 'doi-10.5072-FK2-B/f12.bin', BYTES)], 'w', BATCH)
    const again = await goOn(records, batch, await openPlan(records, batch))
    const items = await itemsIn(records, again.items)
    expect(items.filter(isDamaged).map(({ n }) => n)).toEqual([3])
    expect(items.map(({ path }) => path)).toContain('doi-10.5072-FK2-C/f24.bin')
  })

  it('keeps its number of lines when they have ended, and those that have not end by themselves', async () => {
    const { records, batch, state } = await planned()
    await cutTo(records, 6)
    await recorded(records, [done(11, 'doi-10.5072-FK2-C/f24.bin', BYTES)], 'w', BATCH)
    expect(await openPlan(records, batch)).toEqual(state)
    const items = await itemsIn(records, 12)
    expect(items.filter(isDamaged).map(({ n }) => n)).toEqual([6, 7, 8, 9, 10, 11])
  })
})
