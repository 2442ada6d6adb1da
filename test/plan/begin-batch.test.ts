import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readDrafts } from '../../src/batch/drafts.ts'
import { names, readBatch } from '../../src/batch/folder.ts'
import { beginBatch, findBegun, type BatchRequest } from '../../src/plan/begin-batch.ts'
import { writeReport } from '../../src/batch/report.ts'
import { memorySink, memoryStore } from '../../src/sinks/memory/memory-sink.ts'
import { SERVER } from '../batch/fixtures.ts'

const TEXT = 'id\n42\n'
const WISH: BatchRequest = {
  servers: [SERVER],
  format: 'original',
  existing: 'error',
  manifest: {
    name: '/some/where/2026 List.csv',
    format: 'csv',
    sha256: createHash('sha256').update(TEXT).digest('hex'),
    entries: 1,
  },
}

async function* manifest(): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Buffer.from(TEXT))
}

describe('a batch that is only planned', () => {
  const here = { host: 'h', space: 's', pid: 1, startTime: '5' }
  const there = { ...here, pid: 2 }

  it('is a draft, however often it is planned, until it is asked for', async () => {
    const sink = memorySink()
    const { batch } = await beginBatch(sink, { ...WISH, draft: true }, manifest, false)
    expect([...(await readDrafts(sink.records)).keys()]).toEqual([batch.id])
    await beginBatch(sink, { ...WISH, draft: true }, manifest, false)
    expect((await readDrafts(sink.records)).size).toBe(1)
    expect(await beginBatch(sink, WISH, manifest, false)).toMatchObject({ resumed: true, batch: { id: batch.id } })
    await beginBatch(sink, { ...WISH, draft: true }, manifest, false)
    expect((await readDrafts(sink.records)).size).toBe(0)
  })

  it('is gone on with by the dashboard that shows it, and by nobody else', async () => {
    const sink = memorySink()
    const { batch } = await beginBatch(sink, { ...WISH, draft: true, shownBy: here }, manifest, false)
    for (const other of [WISH, { ...WISH, draft: true as const }, { ...WISH, shownBy: there }]) {
      expect(await findBegun(sink, other)).toBeUndefined()
    }
    expect(await findBegun(sink, { ...WISH, shownBy: here })).toMatchObject({ batch: { id: batch.id } })
    expect((await readDrafts(sink.records)).size).toBe(0)
  })

  it('counts as planned by a command where its mark is damaged', async () => {
    const sink = memorySink()
    const { batch } = await beginBatch(sink, { ...WISH, draft: true, shownBy: here }, manifest, false)
    await sink.records.write(`drafts/${batch.id}.json`, '{')
    expect(await findBegun(sink, WISH)).toMatchObject({ batch: { id: batch.id } })
  })
})

describe('opening a batch', () => {
  it('begins one, with a copy of its manifest and a name that is safe everywhere', async () => {
    const sink = memorySink()
    const { batch, plan, resumed } = await beginBatch(sink, WISH, manifest, false)
    expect(resumed).toBe(false)
    expect(batch.id).toMatch(/^2026-list-\d{8}-\d{6}-[0-9a-f]{6}$/)
    expect(batch).toMatchObject({ ...WISH, destination: 'memory://' })
    expect(plan).toMatchObject({ items: 0, complete: false })
    expect(String(await sink.records.read(names.manifest(batch.id)))).toBe('id\n42\n')
  })

  it('finds the unfinished one of the same wish, until its report is written', async () => {
    const sink = memorySink()
    const first = await beginBatch(sink, WISH, manifest, false)
    const again = await beginBatch(sink, { ...WISH, existing: 'overwrite' }, manifest, false)
    expect(again).toMatchObject({ resumed: true, batch: { id: first.batch.id, existing: 'overwrite' } })
    await writeReport(sink.records, again.batch, again.plan)
    const next = await beginBatch(sink, WISH, manifest, false)
    expect(next.resumed).toBe(false)
    expect(next.batch.id).not.toBe(first.batch.id)
  })

  it('keeps the servers that an earlier run was allowed to contact', async () => {
    const sink = memorySink()
    await beginBatch(sink, { ...WISH, servers: [SERVER, 'https://a.invalid'] }, manifest, false)
    const { batch } = await beginBatch(sink, { ...WISH, servers: [SERVER, 'https://b.invalid'] }, manifest, false)
    expect(batch.servers).toEqual([SERVER, 'https://a.invalid', 'https://b.invalid'])
  })

  it('puts a copy of the manifest right that is damaged, and goes on', async () => {
    const sink = memorySink()
    const { batch } = await beginBatch(sink, WISH, manifest, false)
    await sink.records.write(names.manifest(batch.id), 'id\n4')
    expect(await beginBatch(sink, WISH, manifest, false)).toMatchObject({ resumed: true, batch: { id: batch.id } })
    expect(String(await sink.records.read(names.manifest(batch.id)))).toBe(TEXT)
  })

  it.each(['{', '{"v":2}'])('passes over one whose batch.json is %s, says so, and begins another', async (damaged) => {
    const sink = memorySink()
    const { batch } = await beginBatch(sink, WISH, manifest, false)
    await sink.records.write(names.batch(batch.id), damaged)
    const told: string[] = []
    const next = await beginBatch(sink, WISH, manifest, false, ({ message }) => told.push(message))
    expect(next.resumed).toBe(false)
    expect(told).toEqual([expect.stringContaining(`.dataferry/${batch.id}/batch.json is`)])
  })

  it('goes on with one whose destination was moved, where it is now', async () => {
    const memory = memoryStore()
    const { batch } = await beginBatch({ ...memorySink(memory), url: 'memory://old' }, WISH, manifest, false)
    const moved = memorySink(memory)
    expect((await beginBatch(moved, WISH, manifest, false)).batch).toEqual({ ...batch, destination: 'memory://' })
    expect(await readBatch(moved.records, batch.id)).toMatchObject({ destination: 'memory://' })
  })

  it.each<[string, Partial<BatchRequest>]>([
    ['manifest', { manifest: { ...WISH.manifest, sha256: 'b'.repeat(64) } }],
    ['format', { format: 'archival' }],
    ['server', { servers: ['https://b.invalid'] }],
  ])('begins another one for another %s', async (_, change) => {
    const sink = memorySink()
    await beginBatch(sink, WISH, manifest, false)
    expect((await beginBatch(sink, { ...WISH, ...change }, manifest, false)).resumed).toBe(false)
  })

  it('begins another one when asked to, and gives no two the same name', async () => {
    const made = await Promise.all([1, 2, 3].map(() => beginBatch(memorySink(), WISH, manifest, true)))
    expect(new Set(made.map(({ batch }) => batch.id)).size).toBe(3)
  })
})
