import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holdEntry } from '../../src/archive/hold-entry.ts'
import { bundleMatcher } from '../../src/archive/match-entry.ts'
import { readEntries } from '../../src/archive/read-entries.ts'
import type { Item } from '../../src/model/item.ts'
import { buildZip, codeOf, gather, inPieces } from './zip-builder.ts'

const md5 = (text: string) => ({ algorithm: 'md5' as const, hex: createHash('md5').update(text).digest('hex') })
const sha1 = (text: string) => ({ algorithm: 'sha1' as const, hex: createHash('sha1').update(text).digest('hex') })
const hashed = (name: string, text: string) => ({ name, size: text.length, checksums: [md5(text), sha1(text)] })

function item(n: number, path: string, expect: Item['expect'], more: Partial<Item> = {}): Item {
  return {
    n,
    server: 'https://dv.example.edu',
    ref: { kind: 'file', file: n, format: 'original' },
    path,
    expect,
    ...more,
  }
}

describe('bundleMatcher', () => {
  it('takes a name without a folder for the file at the top, not for one of equal content and name in a folder', () => {
    const items = [
      item(1, 'ds/x/y/a.csv', { size: 1, checksum: md5('a') }),
      item(2, 'ds/a.csv', { size: 1, checksum: md5('a') }),
    ]
    expect(bundleMatcher(items).claim(hashed('a.csv', 'a'))).toEqual({ item: items[1], verified: 'checksum' })
    expect(bundleMatcher(items).claim(hashed('x/y/a.csv', 'a'))).toEqual({ item: items[0], verified: 'checksum' })
  })

  it('finds an item by its content, whatever the archive calls it', () => {
    const items = [item(1, 'ds/a.csv', { size: 1, checksum: md5('a') }), item(2, 'ds/b.csv', { checksum: sha1('b') })]
    const matcher = bundleMatcher(items)
    expect(matcher.algorithms).toEqual(['md5', 'sha1'])
    expect(bundleMatcher([item(1, 'a', { size: 1 })]).algorithms).toEqual(['sha256'])
    expect(matcher.claim(hashed('renamed.csv', 'b'))).toEqual({ item: items[1], verified: 'checksum' })
    expect(matcher.claim(hashed('b.csv', 'a'))).toEqual({ item: items[0], verified: 'checksum' })
    expect(matcher.remaining()).toEqual([])
  })

  it('does not match damaged bytes, nor the manifest, nor one entry twice', () => {
    const matcher = bundleMatcher([item(1, 'ds/a.csv', { size: 1, checksum: md5('a') })])
    expect(matcher.claim(hashed('a.csv', 'A'))).toBeUndefined()
    expect(matcher.claim(hashed('MANIFEST.TXT', 'a.csv (text/csv) 1 bytes.'))).toBeUndefined()
    expect(matcher.remaining()).toHaveLength(1)
    expect(matcher.claim(hashed('a.csv', 'a'))).toBeDefined()
    expect(matcher.claim(hashed('a_1.csv', 'a'))).toBeUndefined()
  })

  it('chooses by name between items of equal content', () => {
    const items = [item(1, 'ds/x/a.csv', { checksum: md5('') }), item(2, 'ds/y/a.csv', { checksum: md5('') })]
    const matcher = bundleMatcher(items)
    expect(matcher.claim(hashed('y/a.csv', ''))?.item.n).toBe(2)
    expect(matcher.claim(hashed('z/a.csv', ''))?.item.n).toBe(1)
  })

  it('finds an item without a checksum by its name, if it is the only one, and by its size', () => {
    const items = [
      item(1, 'ds/b.tab', { size: 2 }),
      item(2, 'ds/CON_.tab', { size: 1 }, { renamedFrom: 'CON.tab' }),
      item(3, 'ds/x/c.tab', { size: 1 }),
      item(4, 'ds/y/x/c.tab', { size: 1 }),
      item(5, 'ds/x/c_1.tab', { size: 1 }),
      item(6, 'ds/unknown.tab', {}),
    ]
    const matcher = bundleMatcher(items)
    expect(matcher.claim(hashed('unknown.tab', '?'))).toBeUndefined()
    expect(matcher.claim(hashed('b.tab', 'wrong'))).toBeUndefined()
    expect(matcher.claim({ ...hashed('b.tab', 'ok'), doubtful: true })).toBeUndefined()
    expect(matcher.claim(hashed('b.tab', 'ok'))).toEqual({ item: items[0], verified: 'size' })
    expect(matcher.claim(hashed('CON.tab', '?'))?.item.n).toBe(2)
    expect(matcher.claim(hashed('x/c.tab', '?'))).toBeUndefined()
    // May be the second of two x/c.tab as well.
    expect(matcher.claim(hashed('x/c_1.tab', '?'))).toBeUndefined()
    expect(matcher.remaining().map(({ n }) => n)).toEqual([3, 4, 5, 6])
  })

  it('knows an archival form by the listed size of its rows, with or without a header line before them', () => {
    const tab = (): Item[] => [item(1, 'ds/a.tab', {}, { listedSize: 4 })]
    const claim = (text: string) =>
      bundleMatcher(tab()).claim({ ...hashed('a.tab', text), firstLine: text.indexOf('\n') + 1 || undefined })
    expect(claim('1\t2\n')).toEqual({ item: tab()[0], verified: 'size' })
    expect(claim('a\tb\n1\t2\n')).toMatchObject({
      verified: 'size',
      note: '4 bytes as listed, and a header line of 4',
    })
    for (const text of ['', '1\t\n', 'a\tb\n1\t2', 'a\tb\n1\t2\n3', '12345']) expect(claim(text)).toBeUndefined()
  })

  it('takes an entry that is one item by its content and another by its name for neither', () => {
    const items = [item(1, 'ds/secret', { size: 4, checksum: md5('same') }), item(2, 'ds/open', { size: 4 })]
    const matcher = bundleMatcher(items)
    expect(matcher.claim(hashed('open', 'same'))).toBeUndefined()
    expect(matcher.claim(hashed('secret', 'same'))?.item.n).toBe(1)
    expect(matcher.claim(hashed('open', 'same'))?.item.n).toBe(2)
  })

  it('knows the largest item', () => {
    expect(bundleMatcher([item(1, 'a', { size: 5 }), item(2, 'b', { size: 7 })]).largest).toBe(7)
    expect(bundleMatcher([item(1, 'a', { size: 5 }), item(2, 'b', {})]).largest).toBeUndefined()
  })
})

describe('holdEntry', () => {
  let scratch = ''
  beforeAll(async () => void (scratch = await mkdtemp(join(tmpdir(), 'hold-'))))
  afterAll(() => rm(scratch, { recursive: true }))

  it('keeps a small entry in memory and a large one in a file, and gives it as often as wanted', async () => {
    for (const size of [0, 100, 101, 300_000]) {
      const bytes = Buffer.alloc(size, 'abc')
      const held = await holdEntry(inPieces(bytes, [33]), { algorithms: ['md5'], memory: 100, scratch })
      expect(held).toMatchObject({ size, checksums: [md5(bytes.toString())] })
      expect(await readdir(scratch)).toHaveLength(size > 100 ? 1 : 0)
      for (let turn = 0; turn < 2; turn += 1) expect((await gather(held.bytes())).equals(bytes)).toBe(true)
      await held[Symbol.asyncDispose]()
      expect(await readdir(scratch)).toEqual([])
    }
  })

  it('leaves nothing behind when the entry fails', async () => {
    async function* failing() {
      yield await Promise.resolve(Buffer.alloc(500))
      throw new Error('broken')
    }
    await expect(holdEntry(failing(), { algorithms: [], memory: 10, scratch })).rejects.toThrow('broken')
    expect(await readdir(scratch)).toEqual([])
  })

  it('says that scratch space failed', async () => {
    const nowhere = join(scratch, 'not there')
    expect(
      await codeOf(holdEntry(inPieces(Buffer.alloc(9), [9]), { algorithms: [], memory: 1, scratch: nowhere })),
    ).toBe('SINK_FAILED')
  })

  it('together with the others brings home every entry before a cut or a wrong bit, and none wrong', async () => {
    const texts = fc.uniqueArray(fc.string({ maxLength: 400 }), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(texts, fc.nat(), fc.boolean(), async (all, place, cut) => {
        const zip = buildZip(all.map((data, n) => ({ name: `file ${n}`, data })))
        const at = place % zip.length
        if (!cut) zip[at] = (zip[at] ?? 0) ^ 4
        const matcher = bundleMatcher(
          all.map((text, n) =>
            item(n, `ds/file ${n}`, {
              checksum: md5(text),
            }),
          ),
        )
        const got = new Map<number, string>()
        const work = async () => {
          for await (const entry of readEntries(inPieces(cut ? zip.subarray(0, at) : zip, [71]))) {
            await using held = await holdEntry(entry.open(), { algorithms: matcher.algorithms, memory: 50, scratch })
            const match = matcher.claim({ name: entry.name, size: held.size, checksums: held.checksums })
            if (match) got.set(match.item.n, (await gather(held.bytes())).toString())
          }
        }
        await codeOf(work())
        expect([...got.keys(), ...matcher.remaining().map(({ n }) => n)].sort((a, b) => a - b)).toEqual(
          all.map((_, n) => n),
        )
        for (const [n, text] of got) expect(text).toBe(all[n])
        const whole = all.filter(
          (_, n) =>
            at >= buildZip(all.slice(0, n + 1).map((data, m) => ({ name: `file ${m}`, data }))).indexOf('PK\x01\x02'),
        )
        expect(got.size).toBeGreaterThanOrEqual(whole.length)
      }),
      { numRuns: 150 },
    )
    expect(await readdir(scratch)).toEqual([])
  })
})
