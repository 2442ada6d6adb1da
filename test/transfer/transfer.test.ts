import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DataferryError } from '../../src/errors.ts'
import type { Item } from '../../src/model/item.ts'
import type { Receipt } from '../../src/model/receipt.ts'
import { memorySink, memoryStore } from '../../src/sinks/memory/memory-sink.ts'
import type { Sink } from '../../src/sinks/sink.ts'
import { transfer, type Run } from '../../src/transfer/transfer.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf, contentOf, listing, never } from '../contracts/sink-bytes.ts'
import { AT_ONCE, broken, itemFor, scriptedSource, type ScriptedSource } from './scripted-source.ts'

const BYTES = bytesOf(10_000)
/** Of a size that nobody promises, so that it is written as it comes. */
const STAGED = itemFor(BYTES, { size: undefined })
const DIGESTS = [checksumOf(BYTES, 'sha256'), checksumOf(BYTES, 'sha512')]
const AWAY = { refuse: broken() }
const RUN: Run = { key: 'b1-0', signal: never, count: true, reconnect: { ...AT_ONCE, retries: 0 } }

function bring(item: Item, source: ScriptedSource, sink: Sink, run: Partial<Run> = {}): Promise<Receipt> {
  return transfer(item, { open: source.open, sink }, { ...RUN, ...run })
}

/** Bytes that a sink holds for the next attempt. */
function heldBy(store: ReturnType<typeof memoryStore>): number {
  return store.parts.get(RUN.key)?.bytes.length ?? 0
}

describe('a transfer', () => {
  it.each([0, 1, 10_000])('brings %i bytes home, verified', async (size) => {
    const bytes = BYTES.subarray(0, size)
    const sink = memorySink()
    const receipt = await bring(itemFor(bytes), scriptedSource(bytes), sink)
    expect(receipt).toMatchObject({ state: 'done', n: 0, size, verified: 'checksum', resumedFrom: 0 })
    expect(receipt.checksum).toEqual(checksumOf(bytes))
    expect(receipt.note).toBeUndefined()
    expect((await contentOf(sink, 'a/data.bin')).equals(bytes)).toBe(true)
  })

  it.each(['md5', 'sha1', 'sha256', 'sha512'] as const)('verifies %s', async (algorithm) => {
    const receipt = await bring(
      itemFor(BYTES, { checksum: checksumOf(BYTES, algorithm) }),
      scriptedSource(BYTES),
      memorySink(),
    )
    expect(receipt).toMatchObject({ verified: 'checksum', checksum: checksumOf(BYTES, algorithm) })
  })

  it.each([undefined, 10_000])('takes further digests in the same pass, of a listed size of %s', async (size) => {
    const store = memoryStore()
    const source = scriptedSource(BYTES, [{ cutAfter: 3000 }])
    const receipt = await bring(itemFor(BYTES, { size }), source, memorySink(store), { digests: ['sha256', 'sha512'] })
    expect(receipt).toMatchObject({ checksum: checksumOf(BYTES), digests: DIGESTS })
    expect(store.files.get('a/data.bin')?.proof.digests).toEqual(DIGESTS)
  })

  it('records a digest once where it is the published checksum', async () => {
    const item = itemFor(BYTES, { checksum: checksumOf(BYTES, 'sha256') })
    const receipt = await bring(item, scriptedSource(BYTES), memorySink(), { digests: ['sha256'] })
    expect(receipt).toMatchObject({ checksum: checksumOf(BYTES, 'sha256') })
    expect(receipt).not.toHaveProperty('digests')
  })

  it('goes on from what earlier attempts kept, wherever they were cut', async () => {
    const cuts = fc.array(fc.nat(5000), { maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(cuts, async (lengths) => {
        const store = memoryStore()
        const item = STAGED
        let held = 0
        for (const cutAfter of lengths) {
          const source = scriptedSource(BYTES, [{ cutAfter, counted: true }, AWAY])
          const ended = await bring(item, source, memorySink(store)).catch((error: unknown) => error)
          held = Math.min(10_000, held + cutAfter)
          if (held === 10_000 && !(ended instanceof Error)) return
          expect(ended).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
          expect(heldBy(store)).toBe(held)
          expect(await listing(memorySink(store))).toEqual({})
        }
        const receipt = await bring(item, scriptedSource(BYTES), memorySink(store), { digests: ['sha256', 'sha512'] })
        expect(receipt).toMatchObject({ resumedFrom: held, size: 10_000, verified: 'checksum', digests: DIGESTS })
        expect((await contentOf(memorySink(store), item.path)).equals(BYTES)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it('that is stopped keeps what was there, and the next one goes on with exactly that', async () => {
    const store = memoryStore()
    const stop = new AbortController()
    const reason = new DataferryError('INTERRUPTED', 'Stop.')
    const first = scriptedSource(BYTES, [{ cutAfter: 6000, then: () => stop.abort(reason) }])
    await expect(bring(STAGED, first, memorySink(store), { signal: stop.signal })).rejects.toBe(reason)
    expect(heldBy(store)).toBe(6000)
    const second = scriptedSource(BYTES)
    const receipt = await bring(STAGED, second, memorySink(store), { count: false })
    expect(receipt).toMatchObject({ resumedFrom: 6000, verified: 'checksum' })
    expect(second.asked).toMatchObject([{ from: 6000, count: false }])
  })

  it('without a checksum begins again', async () => {
    const store = memoryStore()
    const item = itemFor(BYTES, { checksum: undefined })
    await expect(bring(item, scriptedSource(BYTES, [{ cutAfter: 6000 }, AWAY]), memorySink(store))).rejects.toThrow(
      'broke',
    )
    const second = scriptedSource(BYTES)
    const receipt = await bring(item, second, memorySink(store))
    expect(receipt).toMatchObject({ resumedFrom: 0, verified: 'size', checksum: checksumOf(BYTES, 'sha256') })
    expect(second.asked).toMatchObject([{ from: 0 }])
  })

  it('verifies what everything was there of already, without a request', async () => {
    const store = memoryStore()
    const long = bytesOf((1 << 20) + 1)
    const first = scriptedSource(long, [{ cutAfter: long.length, size: null }, AWAY], [300_000])
    await expect(bring(itemFor(long), first, memorySink(store))).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
    const second = scriptedSource(long)
    expect(await bring(itemFor(long), second, memorySink(store))).toMatchObject({ resumedFrom: long.length })
    expect(second.asked).toHaveLength(0)
  })

  it.each([
    ['the listing', { size: 10_000 }, 10_000, 'size'],
    ['the answer', { size: undefined }, 10_000, 'size'],
    ['nobody', { size: undefined }, null, 'nothing'],
  ] as const)('says honestly what was verified when %s tells the size', async (_, promise, said, verified) => {
    const item = itemFor(BYTES, { checksum: undefined, ...promise })
    const receipt = await bring(item, scriptedSource(BYTES, [{ size: said }]), memorySink())
    expect(receipt).toMatchObject({ verified, size: 10_000, checksum: checksumOf(BYTES, 'sha256') })
  })

  it('refuses more bytes than promised, and keeps none of them', async () => {
    const store = memoryStore()
    const item = itemFor(BYTES.subarray(0, 5000), { checksum: undefined })
    await expect(bring(item, scriptedSource(BYTES), memorySink(store))).rejects.toMatchObject({ code: 'LONG_BODY' })
    expect(heldBy(store)).toBe(0)
    expect(await listing(memorySink(store))).toEqual({})
  })

  it('refuses fewer bytes than promised', async () => {
    const item = itemFor(BYTES, { checksum: undefined })
    const source = scriptedSource(BYTES.subarray(0, 5000), [{ size: null }])
    await expect(bring(item, source, memorySink())).rejects.toMatchObject({ code: 'SHORT_BODY' })
  })

  it.each([
    [
      'checksum',
      { checksum: checksumOf(Buffer.from('another')) },
      `the manifest says md5 ${checksumOf(Buffer.from('another')).hex}`,
    ],
    ['smaller size', { checksum: undefined, size: 5_000 }, '10000 bytes arrived; the manifest says 5000'],
    ['larger size', { checksum: undefined, size: 20_000 }, '10000 bytes arrived; the manifest says 20000'],
    ['wrong size beside a right checksum', { size: 9_999 }, '10000 bytes arrived; the manifest says 9999'],
  ])('blames the manifest, not the server, for a %s that only the manifest gives', async (_, promise, why) => {
    const item = itemFor(BYTES, promise)
    const own = [...('size' in promise ? ['size' as const] : ['checksum' as const])]
    const sink = memorySink()
    const ended = bring({ ...item, expect: { ...item.expect, own } }, scriptedSource(BYTES), sink)
    await expect(ended).rejects.toMatchObject({
      code: 'MANIFEST_MISMATCH',
      remedy: 'fail',
      message: expect.stringContaining(why) as string,
    })
    expect(await listing(sink)).toEqual({})
  })

  it('starts from zero after a wrong checksum, and shows nothing', async () => {
    const store = memoryStore()
    const damaged = Buffer.from(BYTES)
    damaged[5000] = (damaged[5000] ?? 0) ^ 1
    const source = scriptedSource(BYTES, [{ bytes: damaged }])
    await expect(bring(STAGED, source, memorySink(store))).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(heldBy(store)).toBe(0)
    expect(await listing(memorySink(store))).toEqual({})
    expect(await bring(STAGED, source, memorySink(store))).toMatchObject({
      resumedFrom: 0,
      verified: 'checksum',
    })
  })

  it.each([
    ['size', { size: 10_001 }],
    ['validator', { etag: '"b"' }],
  ])('keeps nothing of a file whose %s changed', async (_, second) => {
    const store = memoryStore()
    const source = scriptedSource(BYTES, [{ cutAfter: 3000, etag: '"a"' }, second])
    await expect(bring(STAGED, source, memorySink(store))).rejects.toMatchObject({ code: 'SOURCE_CHANGED' })
    expect(heldBy(store)).toBe(0)
  })

  it('keeps what came before an answer that starts too late', async () => {
    const store = memoryStore()
    const source = scriptedSource(BYTES, [{ cutAfter: 3000 }, { shift: 1 }])
    await expect(bring(STAGED, source, memorySink(store))).rejects.toMatchObject({ code: 'SOURCE_UNEXPECTED' })
    expect(heldBy(store)).toBe(3000)
  })

  it('holds a small file in memory: nothing of it is anywhere before it is verified, and reconnecting goes on', async () => {
    const store = memoryStore()
    const sink = memorySink(store)
    const source = scriptedSource(BYTES, [{ cutAfter: 3000, then: () => expect(store.parts.size).toBe(0) }])
    expect(await bring(itemFor(BYTES), source, sink)).toMatchObject({ verified: 'checksum', resumedFrom: 0 })
    expect(source.asked).toMatchObject([{ from: 0 }, { from: 3000 }])
    expect((await contentOf(sink, 'a/data.bin')).equals(BYTES)).toBe(true)
  })

  it('writes a file that turns out longer than it was listed as it comes, with one request', async () => {
    const long = bytesOf((1 << 20) + 70_000)
    const store = memoryStore()
    const source = scriptedSource(long, [], [300_000, 7])
    const receipt = await bring(itemFor(long, { size: 500 }), source, memorySink(store))
    expect(receipt).toMatchObject({ verified: 'checksum', size: long.length, note: 'the listing says 500 bytes' })
    expect(source.asked).toHaveLength(1)
    expect((await contentOf(memorySink(store), 'a/data.bin')).equals(long)).toBe(true)
    const cut = scriptedSource(long, [{ cutAfter: long.length - 10 }, AWAY], [300_000])
    await expect(bring(itemFor(long, { size: 500, path: 'b' }), cut, memorySink(store))).rejects.toThrow('broke')
    expect(heldBy(store)).toBe(long.length - 10)
  })

  it('accepts a wrong listed size with the right checksum, and notes it', async () => {
    for (const size of [9000, 11_000]) {
      const receipt = await bring(itemFor(BYTES, { size }), scriptedSource(BYTES), memorySink())
      expect(receipt).toMatchObject({ verified: 'checksum', size: 10_000, note: `the listing says ${size} bytes` })
    }
  })

  it('tells its progress, which only grows and counts what earlier attempts kept', async () => {
    const store = memoryStore()
    const told: number[] = []
    const onProgress = (bytes: number): number => told.push(bytes)
    const steps = [{ cutAfter: 3000 }, { ignoreRange: true, cutAfter: 5000 }, AWAY]
    const source = scriptedSource(BYTES, steps)
    await expect(bring(STAGED, source, memorySink(store), { onProgress })).rejects.toThrow('broke')
    const before = told.length
    await bring(STAGED, scriptedSource(BYTES), memorySink(store), { onProgress })
    expect(told).toEqual([...told].sort((a, b) => a - b))
    expect(new Set(told).size).toBe(told.length)
    expect(told[before - 1]).toBe(5000)
    expect(told[before]).toBeGreaterThan(5000)
    expect(told.at(-1)).toBe(10_000)
  })
})

describe('a tabular file of an old installation', () => {
  const ORIGINAL = Buffer.from('a,b\n1,x\n')
  const HEADERLESS = Buffer.from('1\t"x"\n')
  const tabular = { ref: { kind: 'file', file: 1, format: 'original', tabular: true } } as const

  it('is accepted with a note when its checksum is that of the form without header', async () => {
    const item = itemFor(ORIGINAL, { ...tabular, checksum: checksumOf(HEADERLESS) })
    const sink = memorySink()
    const source = scriptedSource(ORIGINAL, [{}, { bytes: HEADERLESS }])
    const receipt = await bring(item, source, sink)
    expect(receipt).toMatchObject({ verified: 'size', size: ORIGINAL.length, checksum: checksumOf(ORIGINAL) })
    expect(receipt.note).toContain('without its header line')
    expect(source.asked).toMatchObject([
      { count: true, headerless: false },
      { count: false, headerless: true },
    ])
    expect((await contentOf(sink, item.path)).equals(ORIGINAL)).toBe(true)
  })

  it('is refused when that form cannot be had or has another checksum', async () => {
    const item = itemFor(ORIGINAL, { ...tabular, checksum: checksumOf(HEADERLESS) })
    const away = new DataferryError('SOURCE_NOT_FOUND', 'No such form.')
    for (const second of [{ refuse: away }, { bytes: ORIGINAL }]) {
      const source = scriptedSource(ORIGINAL, [{}, second])
      await expect(bring(item, source, memorySink())).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    }
  })

  it('has no such rule for other files', async () => {
    const source = scriptedSource(ORIGINAL, [{}, { bytes: HEADERLESS }])
    const item = itemFor(ORIGINAL, { checksum: checksumOf(HEADERLESS) })
    await expect(bring(item, source, memorySink())).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
    expect(source.asked).toHaveLength(1)
  })
})
