import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkArchive } from '../../src/archive/check-archive.ts'
import { checkStream } from '../../src/archive/check-stream.ts'
import { bufferAccess } from '../../src/archive/random-access.ts'
import { readEntries } from '../../src/archive/read-entries.ts'
import { rounds } from '../rounds.ts'
import { buildZip, codeOf, dataOf, gather, inPieces, type RawEntry } from './zip-builder.ts'

/** Data that deflate makes much shorter, hardly shorter, and longer; sometimes looking like a record of the archive. */
const data = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.string({ maxLength: 50 }).map((text) => Buffer.from(text.repeat(300))),
  fc
    .constantFrom('', 'PK\x03\x04', 'PK\x05\x06' + '\0'.repeat(18), 'PK\x07\x08'.repeat(9))
    .map((text) => Buffer.from(text)),
)

/** Entries that can be delimited going forward: deflated in any form, stored with their length in front. */
const entry = fc.oneof(
  fc.record({
    data,
    descriptor: fc.constantFrom(
      'none' as const,
      'signed' as const,
      'unsigned' as const,
      'signed64' as const,
      'unsigned64' as const,
    ),
  }),
  fc.record({ data, descriptor: fc.constant('none' as const), method: fc.constant(0) }),
)
const files = fc
  .array(entry, { minLength: 1, maxLength: 6 })
  .map((entries) => entries.map((one, n): RawEntry => ({ ...one, name: `folder/file ${n}.dat` })))
const pieces = fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 4 })

/** Reads forward; gives the entries that were read to their end, and the code that reading ended with. */
async function salvage(zip: Uint8Array, lengths: readonly number[]) {
  const got: { name: string; bytes: Buffer }[] = []
  const read = async () => {
    for await (const one of readEntries(inPieces(zip, lengths))) {
      got.push({ name: one.name, bytes: await gather(one.open()) })
    }
  }
  return { code: await codeOf(read()), got }
}

/** As `salvage`, for a caller that goes on behind a damaged entry. */
async function salvageAll(zip: Uint8Array, lengths: readonly number[]) {
  const got: Buffer[] = []
  const read = async () => {
    for await (const one of readEntries(inPieces(zip, lengths))) {
      await codeOf(gather(one.open()).then((bytes) => got.push(bytes)))
    }
  }
  return { code: await codeOf(read()), got }
}

/** What checking ends with, which is the same whether the archive is at hand or goes past. */
async function check(zip: Uint8Array): Promise<unknown> {
  const code = await codeOf(checkArchive(bufferAccess(zip)))
  const streamed = await codeOf(checkStream(inPieces(zip, [61])))
  expect(streamed === 'none').toBe(code === 'none')
  if (code === 'ZIP_DAMAGED') expect(streamed).toMatch(/^ZIP_/)
  return code
}
const contents = (entries: readonly RawEntry[]) => entries.map((one) => ({ name: one.name, bytes: dataOf(one) }))

describe('an archive that is whole', () => {
  it('is accepted, and gives the same entries forward, wherever chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(files, pieces, async (entries, lengths) => {
        const zip = buildZip(entries)
        expect(await check(zip)).toBe('none')
        expect(await salvage(zip, lengths)).toEqual({ code: 'none', got: contents(entries) })
      }),
      rounds(150),
    )
  })
})

describe('an archive that is cut off', () => {
  it('is never accepted, and gives the entries before the cut, each whole', async () => {
    await fc.assert(
      fc.asyncProperty(files, pieces, fc.nat(), async (entries, lengths, place) => {
        const zip = buildZip(entries)
        const cut = zip.subarray(0, place % zip.length)
        expect(await check(cut)).toBe('ZIP_DAMAGED')
        const { code, got } = await salvage(cut, lengths)
        expect(code).toBe('ZIP_DAMAGED')
        expect(got).toEqual(contents(entries).slice(0, got.length))
        // Whatever lies wholly before the cut is had.
        const whole = entries.filter((_, n) => buildZip(entries.slice(0, n + 1)).indexOf('PK\x01\x02') <= cut.length)
        expect(got.length).toBeGreaterThanOrEqual(whole.length)
      }),
      rounds(250),
    )
  })

  it('is damaged at every single byte', async () => {
    const entries: RawEntry[] = [
      { name: 'a/', data: '' },
      { name: 'a/b.txt', data: 'some text, some text' },
      { name: 'nested.zip', data: buildZip([{ name: 'x', data: 'y' }]), method: 0, descriptor: 'none' },
      { name: 'MANIFEST.TXT', data: 'a/b.txt (text/plain) 20 bytes.\r\n' },
    ]
    for (const zip of [buildZip(entries), buildZip(entries, { zip64: true })]) {
      expect(await salvage(zip, [5])).toMatchObject({ code: 'none', got: { length: 3 } })
      for (let length = 0; length < zip.length; length += 1) {
        const cut = zip.subarray(0, length)
        expect([length, await check(cut)]).toEqual([length, 'ZIP_DAMAGED'])
        const { code, got } = await salvage(cut, [64])
        expect([length, code]).toEqual([length, 'ZIP_DAMAGED'])
        expect(got).toEqual(contents(entries.slice(1)).slice(0, got.length))
      }
    }
  })
})

describe('an archive with one wrong bit', () => {
  it('never gives wrong bytes for an entry without an error', async () => {
    await fc.assert(
      fc.asyncProperty(files, pieces, fc.nat(), fc.nat(7), async (entries, lengths, place, bit) => {
        const zip = buildZip(entries)
        const at = place % zip.length
        zip[at] = (zip[at] ?? 0) ^ (1 << bit)
        const right = contents(entries).map(({ bytes }) => bytes)
        const { got } = await salvage(zip, lengths)
        // A name may be wrong: going forward nothing confirms it. The bytes are those of entries, in their order.
        expect(
          isPartOf(
            got.map(({ bytes }) => bytes),
            right,
          ),
        ).toBe(true)
        const all = await salvageAll(zip, lengths)
        expect(isPartOf(all.got, right)).toBe(true)
        expect(all.got.length).toBeGreaterThanOrEqual(got.length)
        const archive = await checkArchive(bufferAccess(zip), { algorithms: ['sha256'] }).catch(() => undefined)
        if (archive)
          expect(archive.entries.map(({ name, size }) => ({ name, size }))).toEqual(
            entries.map((one) => ({ name: one.name, size: dataOf(one).length })),
          )
      }),
      rounds(300),
    )
  })

  it('gives all entries but the one whose bytes or records are wrong, wherever the bit stands in it', async () => {
    const texts = ['first', 'second '.repeat(40), 'third', 'fourth']
    const entries = texts.map((data, n): RawEntry => ({ name: `${n}`, data, ...(n === 2 && { descriptor: 'none' }) }))
    const starts = [0, 1, 2, 3].map((n) => (n === 0 ? 0 : buildZip(entries.slice(0, n)).indexOf('PK\x01\x02')))
    const zip = buildZip(entries)
    for (const [n, start] of starts.entries()) {
      const end = starts[n + 1] ?? zip.indexOf('PK\x01\x02')
      for (let at = start; at < end; at += 1) {
        // What another method or a password would need is refused for good, and a longer name swallows what follows.
        if ([6, 7, 8, 9, 26, 27, 28, 29].includes(at - start)) continue
        const flipped = Buffer.from(zip)
        flipped[at] = (flipped[at] ?? 0) ^ 16
        const { got } = await salvageAll(flipped, [50])
        const others = texts.filter((_, m) => m !== n)
        expect(got.map(String).filter((text) => others.includes(text))).toEqual(others)
      }
    }
  })

  it('is refused wherever the bit stands in what describes the entries', async () => {
    const entries: RawEntry[] = [
      { name: 'a.txt', data: 'text text text' },
      { name: 'b.txt', data: 'more', descriptor: 'none' },
    ]
    const zip = buildZip(entries)
    const directory = zip.indexOf('PK\x01\x02')
    const accepted: number[] = []
    for (let at = 0; at < zip.length * 8; at += 1) {
      const flipped = Buffer.from(zip)
      flipped[at >> 3] = (flipped[at >> 3] ?? 0) ^ (1 << (at & 7))
      if ((await check(flipped)) === 'none') accepted.push(at >> 3)
    }
    // Only versions, times, attributes, values that the descriptor supersedes, and the bits that pad a deflate stream to
    // a whole byte may differ unseen.
    const second = buildZip(entries.slice(0, 1)).indexOf('PK\x01\x02')
    const free = (start: number, ranges: [number, number][]) =>
      ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, n) => start + from + n))
    const unseen = new Set([
      second - 17,
      directory - 1,
      ...free(0, [
        [4, 8],
        [10, 26],
      ]),
      ...free(second, [
        [4, 8],
        [10, 14],
      ]),
      ...free(directory, [
        [4, 10],
        [12, 16],
        [34, 42],
      ]),
      ...free(directory + 51, [
        [4, 10],
        [12, 16],
        [34, 42],
      ]),
    ])
    expect(accepted.filter((at) => !unseen.has(at))).toEqual([])
  })
})

/** Whether some values are others with some of them left out. */
function isPartOf(some: readonly Buffer[], all: readonly Buffer[]): boolean {
  let at = 0
  for (const one of some) {
    while (at < all.length && all[at]?.equals(one) !== true) at += 1
    if (at++ >= all.length) return false
  }
  return true
}
