import { describe, expect, it } from 'vitest'
import { writeHold } from '../../src/batch/hold.ts'
import { reconcile } from '../../src/batch/reconcile.ts'
import { verifyDestination, type HashPath } from '../../src/batch/verify-destination.ts'
import { MemoryLedger } from '../../src/ledger/memory-ledger.ts'
import { memorySink } from '../../src/sinks/memory/memory-sink.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, never, store } from '../contracts/sink-bytes.ts'
import { all, batchOf, done, failed, hashIn, itemAt, plannedBatch, recorded, unread } from './fixtures.ts'

const BYTES = bytesOf(100)

describe('a ledger that knows nothing', () => {
  it('learns exactly what the receipts say, and nothing the second time', async () => {
    const { records } = memorySink()
    const items = Array.from({ length: 1300 }, (_, n) => itemAt(`f${n}`))
    const { batch, plan } = await plannedBatch(records, items)
    const fetched = Array.from({ length: 1200 }, (_, n) => done(n, `f${n}`, BYTES))
    await recorded(records, [failed(0, 'SHORT_BODY', 'f0'), ...fetched], 'w1')
    await recorded(
      records,
      [done(1200, 'f1200', BYTES, { state: 'kept' }), failed(1201, 'SOURCE_DENIED', 'f1201')],
      'w2',
    )
    const ledger = new MemoryLedger()
    expect(await reconcile(ledger, records, batch, plan)).toBe(1202)
    const summary = { planned: 1300, planComplete: true, plannedBytes: 13_000, done: 1200, kept: 1, failed: 1 }
    expect(await ledger.summary(batch.id)).toEqual({ ...summary, waiting: 0, bytes: 120_000, keptBytes: 100 })
    expect(await ledger.firstOpen(batch.id)).toBe(1202)
    expect(await all(ledger.errors(batch.id))).toMatchObject([{ n: 1201, code: 'SOURCE_DENIED' }])
    expect(await reconcile(ledger, records, batch, plan)).toBe(0)
    expect(await ledger.summary(batch.id)).toMatchObject(summary)
  })
})

describe('verifying a destination', () => {
  it('finds what is missing, changed and extra, and what has only a size', async () => {
    const sink = memorySink()
    const paths = ['fine', 'changed', 'cut', 'missing', 'unread']
    const { batch } = await plannedBatch(
      sink.records,
      paths.map((path) => itemAt(path)),
    )
    await recorded(sink.records, [
      ...paths.slice(0, 4).map((path, n) => done(n, path, BYTES)),
      unread(4, 'unread', 100),
    ])
    await store(sink, 'fine', BYTES)
    await store(sink, 'changed', bytesOf(100, 2))
    await store(sink, 'cut', bytesOf(99))
    await store(sink, 'unread', BYTES)
    await store(sink, 'extra', bytesOf(7))
    const found = await all(verifyDestination(sink, { hash: hashIn(sink), signal: never }))
    const byPath = Object.fromEntries(found.map((finding) => [finding.path, finding]))
    expect(byPath).toMatchObject({
      fine: { state: 'ok', size: 100 },
      changed: {
        state: 'changed',
        batch: batch.id,
        n: 1,
        kind: 'bit-rot',
        expected: { size: 100, checksum: checksumOf(BYTES) },
      },
      cut: { state: 'changed', n: 2, kind: 'wrong-size', expected: { size: 100 }, found: { size: 99 } },
      missing: { state: 'missing', n: 3 },
      unread: { state: 'size-only', size: 100 },
      extra: { state: 'extra', size: 7 },
    })
    expect(found).toHaveLength(6)
  })

  it('compares with the newest batch that saw the bytes', async () => {
    const sink = memorySink()
    const second = batchOf('b2', { createdAt: '2026-02-01T00:00:00.000Z' })
    const third = batchOf('b3', { createdAt: '2026-03-01T00:00:00.000Z' })
    await plannedBatch(sink.records, [itemAt('a')])
    await plannedBatch(sink.records, [itemAt('a')], second)
    await plannedBatch(sink.records, [itemAt('a')], third)
    await recorded(sink.records, [done(0, 'a', bytesOf(100, 1))])
    await recorded(sink.records, [done(0, 'a', bytesOf(100, 2))], 'w', 'b2')
    await recorded(sink.records, [unread(0, 'a', 100)], 'w', 'b3')
    await store(sink, 'a', bytesOf(100, 2))
    expect(await all(verifyDestination(sink, { hash: hashIn(sink), signal: never }))).toEqual([
      { state: 'ok', path: 'a', size: 100, checksum: expect.anything() as unknown },
    ])
  })

  it('compares with the newest receipt of a path, whichever batch was begun first', async () => {
    const sink = memorySink()
    await plannedBatch(sink.records, [itemAt('a')])
    await plannedBatch(sink.records, [itemAt('a')], batchOf('b2', { createdAt: '2026-02-01T00:00:00.000Z' }))
    await recorded(sink.records, [done(0, 'a', bytesOf(100, 2), { finishedAt: '2026-02-03T00:00:00.000Z' })])
    await recorded(sink.records, [done(0, 'a', bytesOf(100, 1), { finishedAt: '2026-02-02T00:00:00.000Z' })], 'w', 'b2')
    await store(sink, 'a', bytesOf(100, 2))
    const found = await all(verifyDestination(sink, { hash: hashIn(sink), signal: never }))
    expect(found).toEqual([{ state: 'ok', path: 'a', size: 100, checksum: expect.anything() as unknown }])
  })

  it('compares every digest that a record holds of the bytes, and takes those that are asked for', async () => {
    const sink = memorySink()
    const { batch } = await plannedBatch(sink.records, [itemAt('a'), itemAt('forged'), itemAt('unread')])
    const digests = [checksumOf(BYTES, 'sha512')]
    // As if somebody had found other bytes with the same MD5.
    const forged = [checksumOf(bytesOf(100, 2), 'sha512')]
    const receipts = [done(0, 'a', BYTES, { digests }), done(1, 'forged', BYTES, { digests: forged })]
    await recorded(sink.records, [...receipts, unread(2, 'unread', 100)])
    // Newer, and silent about further digests.
    await recorded(sink.records, [done(0, 'a', BYTES, { finishedAt: '2026-02-02T00:00:00.000Z' })], 'w2')
    for (const path of ['a', 'forged', 'unread']) await store(sink, path, BYTES)
    const found = await all(verifyDestination(sink, { hash: hashIn(sink), signal: never, digests: ['sha256'] }))
    const sha256 = checksumOf(BYTES, 'sha256')
    expect(found).toEqual([
      { state: 'ok', path: 'a', size: 100, checksum: checksumOf(BYTES), digests: [...digests, sha256] },
      {
        state: 'changed',
        kind: 'bit-rot',
        path: 'forged',
        batch: batch.id,
        n: 1,
        expected: { size: 100, checksum: checksumOf(BYTES), digests: forged },
        found: { size: 100, checksum: checksumOf(BYTES), digests: [...digests, sha256] },
      },
      { state: 'size-only', path: 'unread', size: 100, digests: [sha256] },
    ])
  })

  it('compares with what earlier verifications took of the same bytes, and of no others', async () => {
    const sink = memorySink()
    await plannedBatch(sink.records, [itemAt('a'), itemAt('replaced'), itemAt('unread')])
    await recorded(sink.records, [done(0, 'a', BYTES), done(1, 'replaced', BYTES), unread(2, 'unread', 100)])
    for (const path of ['a', 'replaced', 'unread']) await store(sink, path, BYTES)
    const other = bytesOf(100, 2)
    const proven = async function* () {
      yield* await Promise.resolve([
        { path: 'a', size: 100, checksums: [checksumOf(BYTES), checksumOf(other, 'sha512')] },
        { path: 'replaced', size: 100, checksums: [checksumOf(other), checksumOf(other, 'sha512')] },
        { path: 'unread', size: 100, checksums: [checksumOf(other, 'sha512')] },
      ])
    }
    const found = await all(verifyDestination(sink, { hash: hashIn(sink), signal: never, proven: proven() }))
    expect(found.map(({ state, path }) => `${path} ${state}`)).toEqual(['a changed', 'replaced ok', 'unread changed'])
  })

  it('never passes where there is nothing to compare with', async () => {
    const hash: HashPath = () => Promise.reject(new Error('read'))
    const nothing = all(verifyDestination(memorySink(), { hash, signal: never }))
    await expect(nothing).rejects.toMatchObject({ code: 'NO_RECORDS' })
  })

  it('names what was planned and never came, but for a batch that somebody cancelled', async () => {
    const sink = memorySink()
    await plannedBatch(
      sink.records,
      ['a', 'b', 'c'].map((path) => itemAt(path)),
    )
    await plannedBatch(sink.records, [itemAt('d')], batchOf('b2'))
    await recorded(sink.records, [done(0, 'a', BYTES), failed(1, 'SOURCE_DENIED', 'b')])
    await writeHold(sink.records, 'b2', { state: 'cancelled', reason: 'by hand' })
    await store(sink, 'a', BYTES)
    expect(await all(verifyDestination(sink, { hash: hashIn(sink), signal: never }))).toEqual([
      { state: 'ok', path: 'a', size: 100, checksum: expect.anything() as unknown },
      { state: 'unfetched', path: 'b', batch: 'b1', n: 1, why: 'SOURCE_DENIED' },
      { state: 'unfetched', path: 'c', batch: 'b1', n: 2, why: undefined },
    ])
  })
})
