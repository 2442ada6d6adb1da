import { describe, expect, it } from 'vitest'
import { crc32, deflateRawSync } from 'node:zlib'
import { checkArchive } from '../../src/archive/check-archive.ts'
import { checkStream } from '../../src/archive/check-stream.ts'
import { DEFAULT_LIMITS, limitsFor } from '../../src/archive/limits.ts'
import { bufferAccess } from '../../src/archive/random-access.ts'
import { readEntries } from '../../src/archive/read-entries.ts'
import { buildZip, codeOf, gather, inPieces, type RawEntry } from './zip-builder.ts'

const MIB = 1024 * 1024
const good: RawEntry = { name: 'good.txt', data: 'good '.repeat(50) }

/** What checking ends with; going past as a stream, the same archive must be refused or accepted as well. */
async function check(zip: Buffer, limits = DEFAULT_LIMITS): Promise<unknown> {
  const code = await codeOf(checkArchive(bufferAccess(zip), { limits }))
  const streamed = await codeOf(checkStream(inPieces(zip, [997]), { limits }))
  expect([streamed, streamed === 'none']).toEqual([
    expect.stringMatching(/^(none|ZIP_DAMAGED|ZIP_HOSTILE)$/),
    code === 'none',
  ])
  return code
}

/** What reading the archive forward ends with, and how many bytes it gave before. */
async function forward(zip: Buffer, limits = DEFAULT_LIMITS) {
  let bytes = 0
  const read = async () => {
    for await (const entry of readEntries(inPieces(zip, [1000]), limits)) {
      for await (const chunk of entry.open()) bytes += chunk.length
    }
  }
  return { code: await codeOf(read()), bytes }
}

describe('a hostile archive is refused', () => {
  it.each(['../x', 'a/../../x', 'a/..', '..', '/etc/passwd', 'C:/x', 'c:x', '\\x', 'a\\..\\..\\x', 'a\0.txt', ''])(
    'for the name %j',
    async (name) => {
      const zip = buildZip([good, { name, data: 'x' }])
      expect(await check(zip)).toBe('ZIP_HOSTILE')
      expect((await forward(zip)).code).toBe('ZIP_HOSTILE')
    },
  )

  it('for a symbolic link', async () => {
    expect(await check(buildZip([{ name: 'x', data: '/etc', externalAttributes: 0o120777 * 0x10000 }]))).toBe(
      'ZIP_HOSTILE',
    )
  })

  it('for entries that share their bytes', async () => {
    const data = Buffer.alloc(MIB)
    const shared = { name: 'bomb', data, central: { offset: 0 } }
    const zip = buildZip([
      { name: 'bomb', data },
      ...Array.from({ length: 5 }, () => ({
        ...shared,
        packed: Buffer.alloc(0),
        central: {
          offset: 0,
          compressedSize: deflateRawSync(data).length,
        },
      })),
    ])
    expect(await check(zip)).toBe('ZIP_HOSTILE')
  })

  it('for an entry that quotes the next one whole, as the overlapping bombs do', async () => {
    const inner = buildZip([{ name: 'inner', data: 'x'.repeat(500), descriptor: 'none' }])
    const kernel = inner.subarray(0, inner.indexOf('PK\x01\x02'))
    const zip = buildZip([
      { name: 'outer', method: 0, descriptor: 'none', data: kernel },
      { name: 'inner', data: 'x'.repeat(500), descriptor: 'none', central: { offset: 35 } },
    ])
    expect(await check(zip)).toBe('ZIP_HOSTILE')
  })

  it('for an entry that reaches into the directory', async () => {
    expect(await check(buildZip([good, { name: 'x', data: 'y', central: { compressedSize: 5000 } }]))).toBe(
      'ZIP_HOSTILE',
    )
  })

  it('for encryption and unknown methods', async () => {
    for (const entry of [
      { ...good, flags: 0x801 },
      { ...good, method: 14, packed: Buffer.from('xx') },
    ]) {
      expect(await check(buildZip([entry]))).toBe('ZIP_HOSTILE')
      expect((await forward(buildZip([entry]))).code).toBe('ZIP_HOSTILE')
    }
  })

  it('for more entries than allowed, before they are read', async () => {
    const zip = buildZip(Array.from({ length: 50 }, (_, n) => ({ name: `f${n}`, data: 'x' })))
    expect(await check(zip, { ...DEFAULT_LIMITS, entries: 49 })).toBe('ZIP_HOSTILE')
    expect(await forward(zip, { ...DEFAULT_LIMITS, entries: 49 })).toEqual({ code: 'ZIP_HOSTILE', bytes: 49 })
    expect(await check(zip, { ...DEFAULT_LIMITS, entries: 50 })).toBe('none')
  })

  it('for a directory longer than allowed', async () => {
    expect(await check(buildZip([good]), { ...DEFAULT_LIMITS, directoryBytes: 50 })).toBe('ZIP_HOSTILE')
  })

  it('for unfolding to more than was asked for, after no more than that', async () => {
    const limits = { ...DEFAULT_LIMITS, totalBytes: 2 * MIB }
    const bomb = { name: 'bomb', data: Buffer.alloc(limits.totalBytes + 1) }
    expect(await check(buildZip([bomb]), limits)).toBe('ZIP_HOSTILE')
    const { code, bytes } = await forward(buildZip([bomb]), limits)
    expect(code).toBe('ZIP_HOSTILE')
    expect(bytes).toBeLessThanOrEqual(limits.totalBytes)
    const half = { data: Buffer.alloc(limits.totalBytes / 2 + 1) }
    expect(
      await check(
        buildZip([
          { name: 'a', ...half },
          { name: 'b', ...half },
        ]),
        limits,
      ),
    ).toBe('ZIP_HOSTILE')
  })

  it('for what is asked for, about twice as much is allowed', () => {
    const limits = limitsFor({ files: 10, bytes: 1000 * MIB })
    expect(limits.entries).toBe(120)
    expect(limits.totalBytes / MIB).toBeCloseTo(2064.6, 1)
    expect(limits.ratio).toBe(Infinity)
  })

  it('for unfolding to more than a ratio allows', async () => {
    const limits = { ...DEFAULT_LIMITS, ratioFrom: MIB }
    const bomb = buildZip([{ name: 'bomb', data: Buffer.alloc(2 * MIB) }])
    expect(await check(bomb, limits)).toBe('ZIP_HOSTILE')
    const { code, bytes } = await forward(bomb, limits)
    expect(code).toBe('ZIP_HOSTILE')
    expect(bytes).toBeLessThanOrEqual(MIB)
  })
})

describe('a lying archive is refused', () => {
  it('when it unfolds to more than the directory says, after no more than that', async () => {
    const data = Buffer.alloc(10 * MIB)
    const packed = deflateRawSync(data)
    const lie = { crc32: crc32(Buffer.alloc(10)), size: 10 }
    let read = 0
    const zip = buildZip([
      { name: 'bomb', packed, data: Buffer.alloc(10), descriptor: 'none', local: lie, central: lie },
    ])
    expect(await check(zip)).toBe('ZIP_DAMAGED')
    const work = async () => {
      for await (const entry of readEntries(inPieces(zip, [1000])))
        for await (const chunk of entry.open()) read += chunk.length
    }
    expect(await codeOf(work())).toBe('ZIP_DAMAGED')
    expect(read).toBe(0)
  })

  it.each([
    ['a wrong CRC in the directory', { central: { crc32: 1 } }],
    ['a wrong size in the directory', { central: { size: 5 } }],
    ['a longer size in the directory', { central: { size: 5000 } }],
    ['a shorter packed size in the directory', { central: { compressedSize: 3 } }],
    ['another name in the directory', { central: { name: Buffer.from('evil.txt') } }],
    ['another method in the directory', { central: { method: 0, compressedSize: 250 } }],
    ['another name before the bytes', { local: { name: Buffer.from('evil.txt') } }],
    ['other flags before the bytes', { local: { flags: 0 } }],
    ['a name in another charset before the bytes', { local: { flags: 8 } }],
    ['a wrong place in the directory', { central: { offset: 1 } }],
    ['bytes between entries', { gap: Buffer.from('hidden') }],
    ['bytes behind the packed ones', { packed: Buffer.concat([deflateRawSync(good.data ?? ''), Buffer.from('xx')]) }],
    ['packed bytes that are none', { packed: Buffer.alloc(20, 0xff) }],
  ])('for %s', async (_, lie: Partial<RawEntry>) => {
    expect(
      await check(
        buildZip([
          { ...good, ...lie },
          { name: 'other', data: 'x' },
        ]),
      ),
    ).toMatch(/^ZIP_(DAMAGED|HOSTILE)$/)
  })

  it.each([
    ['a wrong CRC', { crc32: 5 }],
    ['a wrong size', { size: 5 }],
    ['a longer size', { size: 5000 }],
    ['a wrong packed size', { compressedSize: 5 }],
  ])('for %s before the bytes, where no descriptor corrects it', async (_, local) => {
    const zip = buildZip([{ ...good, descriptor: 'none', local }])
    expect(await check(zip)).toBe('ZIP_DAMAGED')
    expect((await forward(zip)).code).toBe('ZIP_DAMAGED')
  })

  it.each([
    ['a count too low', { entries: 1 }],
    ['a count too high', { entries: 3 }],
    ['a directory elsewhere', { offset: 3 }],
    ['a directory too short', { size: 46 }],
    ['a directory behind the end', { offset: 0xfffffff0 }],
    ['bytes behind the directory', { gap: Buffer.from('PK\x06\x06 and so on') }],
  ])('for %s', async (_, end) => {
    expect(await check(buildZip([good, { name: 'other' }], end))).toBe('ZIP_DAMAGED')
  })

  it('for an entry that the directory hides', async () => {
    const zip = buildZip([good, { name: 'hidden', data: 'x' }])
    const first = buildZip([good])
    const directory = first.subarray(first.indexOf('PK\x01\x02'))
    const entries = zip.subarray(0, zip.indexOf('PK\x01\x02'))
    const end = Buffer.from(directory)
    end.writeUInt32LE(entries.length, end.length - 6)
    expect(await check(Buffer.concat([entries, end]))).toBe('ZIP_DAMAGED')
    expect((await forward(Buffer.concat([entries, end]))).code).toBe('ZIP_DAMAGED')
  })

  it('for a ZIP64 record that is not where it should be', async () => {
    const zip = buildZip([good])
    const locator = Buffer.alloc(20)
    locator.writeUInt32LE(0x07064b50, 0)
    for (const place of [0n, 5n, BigInt(zip.length), 2n ** 60n]) {
      locator.writeBigUInt64LE(place, 8)
      const lying = Buffer.concat([zip.subarray(0, -22), locator, zip.subarray(-22)])
      expect(await check(lying)).toBe('ZIP_DAMAGED')
    }
  })

  it.each([
    ['nothing', ''],
    ['a page', '<html>Service unavailable</html>'],
    ['an error', '{"status":"ERROR"}'],
  ])('for being %s', async (_, text) => {
    expect(await check(Buffer.from(text))).toBe('ZIP_DAMAGED')
    expect((await forward(Buffer.from(text))).code).toBe('ZIP_DAMAGED')
  })
})

describe('reading forward', () => {
  it('passes over a stored entry of unknown length, and takes what follows for doubtful', async () => {
    const zip = buildZip([good, { name: 'x', data: 'abc', method: 0 }, { name: 'y', data: 'z' }])
    const names: [string, boolean][] = []
    const work = async () => {
      for await (const entry of readEntries(inPieces(zip, [7]))) {
        await gather(entry.open())
        names.push([entry.name, entry.doubtful])
      }
    }
    expect(await codeOf(work())).toBe('ZIP_DAMAGED')
    expect(names).toEqual([
      ['good.txt', false],
      ['y', true],
    ])
  })
})
