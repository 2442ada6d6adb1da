import { EMPTY_PLAN, writeBatch, writePlanState } from '../../src/batch/folder.ts'
import { ItemsWriter } from '../../src/batch/items-file.ts'
import { OutcomeWriter } from '../../src/batch/outcome-log.ts'
import type { HashPath } from '../../src/batch/verify-destination.ts'
import type { Batch, PlanState } from '../../src/model/batch.ts'
import type { Item } from '../../src/model/item.ts'
import { waitingFor, type Failure, type Outcome, type Receipt, type Waiting } from '../../src/model/receipt.ts'
import type { Records, Sink } from '../../src/sinks/sink.ts'
import { checksumOf } from '../contracts/hash.ts'
import { contentOf } from '../contracts/sink-bytes.ts'

export const SERVER = 'https://demo.invalid'

export function batchOf(id = 'b1', more: Partial<Batch> = {}): Batch {
  return {
    v: 1,
    id,
    key: 'k',
    createdAt: '2026-01-01T00:00:00.000Z',
    destination: 'memory://',
    servers: [SERVER],
    format: 'original',
    existing: 'error',
    manifest: { name: 'list.csv', format: 'csv', sha256: 'f'.repeat(64), entries: 1 },
    ...more,
  }
}

export type Unnumbered = Omit<Item, 'n'>

export function itemAt(path: string, more: Partial<Unnumbered> = {}): Unnumbered {
  return { server: SERVER, ref: { kind: 'file', file: 1, format: 'original' }, path, expect: { size: 10 }, ...more }
}

/** Writes a batch whose plan is complete. */
export async function plannedBatch(
  records: Records,
  items: readonly Unnumbered[],
  batch = batchOf(),
): Promise<{ readonly batch: Batch; readonly plan: PlanState }> {
  await writeBatch(records, batch)
  const writer = await ItemsWriter.open(records, batch.id, { items: 0, bytes: 0 })
  for (const [n, item] of items.entries()) {
    const numbered = { ...item, n }
    writer.add(numbered)
  }
  await writer.flush()
  await writer.close()
  const size = items.reduce((sum, { expect }) => sum + (expect.size ?? 0), 0)
  const totals = { ...EMPTY_PLAN.totals, size, renamed: items.filter((item) => item.renamedFrom !== undefined).length }
  const plan: PlanState = { entries: items.length, ...writer.position, complete: true, totals }
  await writePlanState(records, batch.id, plan)
  return { batch, plan }
}

/** Reads every file that is asked for. */
export function hashIn(sink: Sink): HashPath {
  return async (path, algorithms) => {
    const bytes = await contentOf(sink, path)
    return algorithms.map((algorithm) => checksumOf(bytes, algorithm))
  }
}

export function done(n: number, path: string, bytes: Uint8Array, more: Partial<Receipt> = {}): Receipt {
  return {
    v: 2,
    state: 'done',
    n,
    path,
    size: bytes.length,
    checksum: checksumOf(bytes),
    verified: 'checksum',
    resumedFrom: 0,
    finishedAt: '2026-01-01T00:00:05.000Z',
    ...more,
  }
}

/** Found there and not read: all that is known is its size. */
export function unread(n: number, path: string, size: number): Receipt {
  const finishedAt = '2026-01-01T00:00:05.000Z'
  return { v: 2, state: 'kept', n, path, size, verified: 'nothing', resumedFrom: 0, finishedAt }
}

export function failed(n: number, code: string, path = `p${n}`, second = 1): Failure {
  const finishedAt = `2026-01-01T00:00:0${second}.000Z`
  return { state: 'failed', n, path, code, message: `It was "bad", ${code}.`, finishedAt }
}

export function waits(n: number, path = `p${n}`, second = 1): Waiting {
  const known = {
    message: 'Access to it was requested.',
    since: '2026-01-01T00:00:00.000Z',
    until: '2026-04-01T00:00:00.000Z',
  }
  return { ...waitingFor('access', { ...itemAt(path), n }, known), finishedAt: `2026-01-01T00:00:0${second}.000Z` }
}

/** Records outcomes as one process. */
export async function recorded(
  records: Records,
  outcomes: readonly Outcome[],
  writer = 'w1',
  batch = 'b1',
): Promise<void> {
  const log = new OutcomeWriter(records, batch, writer)
  for (const outcome of outcomes) await log.record(outcome)
  await log.close()
}

export async function all<T>(some: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const one of some) list.push(one)
  return list
}
