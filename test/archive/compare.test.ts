import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { compareWithAsked, type AskedFile } from '../../src/archive/compare.ts'
import type { ArchiveEntry } from '../../src/archive/archive-report.ts'
import type { ManifestTxt, ManifestTxtLine } from '../../src/archive/manifest-txt.ts'

const md5 = (text: string) => ({ algorithm: 'md5' as const, hex: createHash('md5').update(text).digest('hex') })
const entry = (name: string, text: string): ArchiveEntry => ({
  name,
  size: text.length,
  crc32: 0,
  checksums: [md5(text)],
})
const skipped = (label: string, reason: 'restricted' | 'embargoed' | 'limit'): ManifestTxtLine => ({
  kind: 'skipped',
  label,
  reason,
})
const manifest = (...lines: ManifestTxtLine[]): ManifestTxt => ({ lines, unknown: [] })

let ids = 0
function file(path: string, text: string | undefined, more: Partial<AskedFile> = {}): AskedFile {
  const slash = path.lastIndexOf('/')
  return {
    id: (ids += 1),
    directory: path.slice(0, Math.max(slash, 0)),
    label: path.slice(slash + 1),
    tabular: false,
    ...(text === undefined ? {} : { size: text.length, checksum: md5(text) }),
    ...more,
  }
}

/** A tabular file: its `.tab` is listed with a size that lacks the header line, the checksum is the original's. */
const tabular = (path: string, original: string | undefined, text: string) =>
  file(path, text, {
    tabular: true,
    size: 3,
    original: { size: text.length, ...(original === undefined ? {} : { name: original }) },
  })

/** The comparison in short: `path ← entry proof`, `path: reason`, `+ entry`. */
function compare(
  entries: ArchiveEntry[],
  lines: ManifestTxt | undefined,
  asked: AskedFile[],
  format: 'original' | 'archival' = 'original',
) {
  const { included, leftOut, extra } = compareWithAsked(entries, lines, asked, format)
  const path = ({ directory, label }: AskedFile) => (directory === '' ? label : `${directory}/${label}`)
  return [
    ...included.map((one) => `${path(one.file)} ← ${one.entry.name} ${one.verified}`),
    ...leftOut.map((one) => `${path(one.file)}: ${one.reason}${one.ambiguous ? '?' : ''}`),
    ...extra.map((one) => `+ ${one.name}`),
  ].sort()
}

describe('compareWithAsked', () => {
  it('finds files by folder and label, and proves them by checksum, size or structure', () => {
    const entries = [entry('a.csv', 'top'), entry('raw/a.csv', 'raw'), entry('s.bin', '12345'), entry('u.bin', '?')]
    const asked = [
      file('a.csv', 'top'),
      file('/raw/', 'x', { directory: '/raw/', label: 'a.csv', size: 3, checksum: md5('raw') }),
      file('s.bin', undefined, { size: 5 }),
      file('u.bin', undefined),
    ]
    expect(compare(entries, undefined, asked)).toEqual([
      '/raw//a.csv ← raw/a.csv checksum',
      'a.csv ← a.csv checksum',
      's.bin ← s.bin size',
      'u.bin ← u.bin structure',
    ])
  })

  it('tells repeated names apart by checksum, then by size', () => {
    const entries = [entry('x.csv', 'second'), entry('x_1.csv', 'first'), entry('x_2.csv', 'a third')]
    const asked = [file('x.csv', 'first'), file('x.csv', 'second'), file('x.csv', undefined, { size: 7 })]
    expect(compare(entries, undefined, asked)).toEqual([
      'x.csv ← x.csv checksum',
      'x.csv ← x_1.csv checksum',
      'x.csv ← x_2.csv size',
    ])
  })

  it('puts the number of a repeated name where the server does: before the last dot of the whole path', () => {
    const entries = [
      entry('v1.0/README', 'a'),
      entry('v1_1.0/README', 'b'),
      entry('LICENSE', 'c'),
      entry('LICENSE_1', 'd'),
    ]
    const asked = [
      file('v1.0/README', undefined, { size: 1 }),
      file('v1.0/README', undefined, { size: 1 }),
      file('LICENSE', undefined, { size: 1 }),
      file('LICENSE', undefined, { size: 1 }),
    ]
    expect(compare(entries, undefined, asked)).toEqual([
      'LICENSE ← LICENSE size',
      'LICENSE ← LICENSE_1 size',
      'v1.0/README ← v1.0/README size',
      'v1.0/README ← v1_1.0/README size',
    ])
  })

  it('does not take a file called x_1.csv for a repeated x.csv', () => {
    const entries = [entry('x.csv', 'aa'), entry('x_1.csv', 'bb')]
    const asked = [file('x.csv', undefined, { size: 2 }), file('x_1.csv', undefined, { size: 2 })]
    expect(compare(entries, undefined, asked)).toEqual(['x.csv ← x.csv size', 'x_1.csv ← x_1.csv size'])
  })

  it('finds a file that was renamed since the version asked for, by its checksum', () => {
    expect(compare([entry('new/name.csv', 'same')], undefined, [file('old.csv', 'same')])).toEqual([
      'old.csv ← new/name.csv checksum',
    ])
  })

  it('finds originals of tabular files by their own name, and by checksum where the listing has no name', () => {
    const entries = [entry('raw/data.csv', 'a,b'), entry('data.sav', 'spss')]
    const asked = [tabular('raw/data.tab', 'data.csv', 'a,b'), tabular('data.tab', undefined, 'spss')]
    expect(compare(entries, undefined, asked)).toEqual([
      'data.tab ← data.sav checksum',
      'raw/data.tab ← raw/data.csv checksum',
    ])
  })

  it('takes archival forms by name alone, as nothing is published about their bytes', () => {
    const asked = [tabular('data.tab', 'data.csv', 'a,b'), file('plain.txt', 'plain')]
    const entries = [entry('data.tab', 'head\nbody'), entry('plain.txt', 'plain')]
    expect(compare(entries, undefined, asked, 'archival')).toEqual([
      'data.tab ← data.tab structure',
      'plain.txt ← plain.txt checksum',
    ])
  })

  it('does not accept the archival form in place of the original', () => {
    const asked = [tabular('data.tab', 'data.csv', 'a,b'), tabular('more.tab', undefined, 'c')]
    expect(compare([entry('data.tab', 'head\nbody'), entry('more.tab', 'head')], undefined, asked)).toEqual([
      'data.tab: other-form',
      'more.tab: other-form',
    ])
  })

  it('does not accept an entry that only has the name', () => {
    const asked = [file('a.csv', 'right'), file('b.csv', undefined, { size: 9 })]
    expect(compare([entry('a.csv', 'wrong'), entry('b.csv', 'wrong')], undefined, asked)).toEqual([
      'a.csv: mismatch',
      'b.csv: mismatch',
    ])
  })

  it('names the reason that the manifest gives, and what is neither there nor mentioned', () => {
    const asked = [file('a/x.csv', 'x'), file('y.csv', 'y'), file('z.csv', 'z'), tabular('t.tab', 't.csv', 't')]
    const lines = manifest(skipped('x.csv', 'restricted'), skipped('y.csv', 'limit'), skipped('t.tab', 'limit'))
    expect(compare([entry('z.csv', 'z')], lines, asked)).toEqual([
      'a/x.csv: restricted',
      't.tab: limit',
      'y.csv: limit',
      'z.csv ← z.csv checksum',
    ])
    expect(compare([], undefined, asked)).toEqual([
      'a/x.csv: missing',
      't.tab: missing',
      'y.csv: missing',
      'z.csv: missing',
    ])
  })

  it('is sure when as many files are gone as the manifest mentions, all for one reason', () => {
    const asked = [file('a/x.csv', '1'), file('b/x.csv', '2'), file('c/x.csv', '3')]
    const lines = manifest(skipped('x.csv', 'restricted'), skipped('x.csv', 'restricted'))
    expect(compare([entry('b/x.csv', '2')], lines, asked)).toEqual([
      'a/x.csv: restricted',
      'b/x.csv ← b/x.csv checksum',
      'c/x.csv: restricted',
    ])
  })

  it('says so when it cannot tell which file a line means, and guesses by what the listing says', () => {
    const asked = [
      file('a/x.csv', '1', { withheld: 'embargoed' }),
      file('b/x.csv', '2'),
      file('c/x.csv', '3', { withheld: 'restricted' }),
    ]
    expect(compare([], manifest(skipped('x.csv', 'restricted')), asked)).toEqual([
      'a/x.csv: missing?',
      'b/x.csv: missing?',
      'c/x.csv: restricted?',
    ])
    const all = manifest(skipped('x.csv', 'restricted'), skipped('x.csv', 'limit'), skipped('x.csv', 'embargoed'))
    expect(compare([], all, asked)).toEqual(['a/x.csv: embargoed?', 'b/x.csv: limit?', 'c/x.csv: restricted?'])
  })

  it('never names a withheld file in place of an allowed one with the same bytes', () => {
    const withheld = file('secret.csv', 'same', { withheld: 'restricted' })
    const allowed = file('open.csv', undefined, { size: 4 })
    const told = manifest(skipped('secret.csv', 'restricted'))
    const found = ['open.csv ← open.csv size', 'secret.csv: restricted']
    for (const asked of [
      [withheld, allowed],
      [allowed, withheld],
    ]) {
      expect(compare([entry('open.csv', 'same')], told, asked)).toEqual(found)
      // Without a manifest, as from the external service, and where the listing does not call it withheld.
      expect(compare([entry('open.csv', 'same')], undefined, asked)).toEqual([found[0], 'secret.csv: missing'])
    }
    const unlisted = file('secret.csv', 'same')
    expect(compare([entry('open.csv', 'same')], undefined, [unlisted, allowed])).toEqual([
      found[0],
      'secret.csv: missing',
    ])
    // An entry of the new name of either, of two that publish the same checksum.
    const both = [withheld, file('open.csv', 'same')]
    expect(compare([entry('renamed.csv', 'same')], told, both)).toEqual(['open.csv ← renamed.csv checksum', found[1]])
    expect(compare([entry('renamed.csv', 'same')], undefined, both)).toEqual([
      'open.csv ← renamed.csv checksum',
      'secret.csv: missing',
    ])
    // Nobody else can be meant by the entry, but the manifest says that it is not there.
    expect(compare([entry('renamed.csv', 'same')], told, [withheld])).toEqual(['+ renamed.csv', found[1]])
  })

  it('lists entries that nobody asked for', () => {
    expect(compare([entry('a', 'a'), entry('b', 'b')], manifest(), [file('a', 'a')])).toEqual(['+ b', 'a ← a checksum'])
  })

  it('gives each entry to one file only', () => {
    expect(compare([entry('a', 'same')], undefined, [file('a', 'same'), file('b', 'same')])).toEqual([
      'a ← a checksum',
      'b: missing',
    ])
  })
})
