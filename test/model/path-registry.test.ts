import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FingerprintMap } from '../../src/model/fingerprint-map.ts'
import { PathRegistry } from '../../src/model/path-registry.ts'
import { MAX_PATH_BYTES, MAX_SEGMENT_BYTES, safePath } from '../../src/model/path.ts'

function claimAll(paths: readonly string[]): string[] {
  const registry = new PathRegistry()
  return paths.map((path) => registry.claim(path))
}

/** Few letters, so that paths meet often. */
const segment = fc
  .array(fc.constantFrom('a', 'A', 'b', 'é', 'e\u0301', 'ß', 'SS', 'ς', 'Σ', ' (2)', '.csv', 'İ', 'ﬁ', 'FI'), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join(''))
const paths = fc.array(
  fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => safePath(segments.join('/')).path),
  { maxLength: 60 },
)
const long = fc.array(
  fc
    .tuple(fc.constantFrom('x', 'X', 'é'), fc.integer({ min: 120, max: 255 }), fc.integer({ min: 1, max: 6 }))
    .map(
      ([letter, length, depth]) => safePath(Array.from({ length: depth }, () => letter.repeat(length)).join('/')).path,
    ),
  { maxLength: 20 },
)

describe('the paths of a batch', () => {
  it('gives out a path as it is when nothing is there', () => {
    expect(claimAll(['a/b.csv', 'a/c.csv', 'd.csv'])).toEqual(['a/b.csv', 'a/c.csv', 'd.csv'])
  })

  it('numbers what comes again, whatever its case and composition', () => {
    expect(claimAll(['a/Data.csv', 'a/data.csv', 'A/DATA.CSV', 'a/x', 'a/x'])).toEqual([
      'a/Data.csv',
      'a/data (2).csv',
      'A/DATA (3).CSV',
      'a/x',
      'a/x (2)',
    ])
    expect(claimAll(['stra\u00dfe', 'STRASSE', 'caf\u00e9', 'cafe\u0301'.normalize('NFC')])[1]).toBe('STRASSE (2)')
    expect(claimAll(['x (2).csv', 'x.csv', 'x.csv'])).toEqual(['x (2).csv', 'x.csv', 'x (3).csv'])
    expect(claimAll(['a.tar.gz', 'a.tar.gz'])[1]).toBe('a (2).tar.gz')
  })

  it('keeps a file out of the place of a folder', () => {
    expect(claimAll(['a/b', 'a', 'A'])).toEqual(['a/b', 'a (2)', 'A (3)'])
  })

  it('keeps a folder out of the place of a file, for all that goes into it', () => {
    expect(claimAll(['a', 'a/b', 'a/c', 'a/b', 'a/c/d'])).toEqual([
      'a',
      'a (2)/b',
      'a (2)/c',
      'a (2)/b (2)',
      'a (2)/c (2)/d',
    ])
  })

  it('never gives out two paths that one file system could take for the same, nor a file where a folder is', () => {
    fc.assert(
      fc.property(fc.oneof(paths, long), (wanted) => {
        const given = claimAll(wanted)
        const files = new Set(given.map((path) => path.normalize('NFD').toUpperCase().toLowerCase().normalize('NFC')))
        expect(files.size).toBe(given.length)
        for (const file of files) {
          const folders = file.split('/').slice(0, -1)
          folders.forEach((_, at) => expect(files.has(folders.slice(0, at + 1).join('/'))).toBe(false))
        }
        for (const path of given) {
          expect(safePath(path)).toEqual({ path, changed: false })
          expect(Buffer.byteLength(path)).toBeLessThanOrEqual(MAX_PATH_BYTES)
          expect(path.split('/').every((part) => Buffer.byteLength(part) <= MAX_SEGMENT_BYTES)).toBe(true)
        }
        expect(claimAll(wanted)).toEqual(given)
        expect(claimAll(given)).toEqual(given)
      }),
      { numRuns: 400 },
    )
  })

  it('numbers thousands of the same name without gaps', () => {
    const given = claimAll(Array.from({ length: 20_000 }, () => 'data.csv'))
    expect(new Set(given).size).toBe(20_000)
    expect(given.at(-1)).toBe('data (20000).csv')
  })
})

describe('the map of fingerprints', () => {
  it('tells 200,000 keys apart, in at most 40 bytes each', () => {
    const map = new FingerprintMap()
    for (let n = 0; n < 200_000; n += 1) {
      const key = `dataset-${n % 1000}/file-${n}.csv`
      if (map.add(key, n % 2 === 0 ? 1 : 2) !== undefined) throw new Error(`${key} was taken for another`)
    }
    expect(map.size).toBe(200_000)
    expect(map.bytes).toBeLessThanOrEqual(40 * 200_000)
    expect(map.get('dataset-7/file-7.csv')).toBe(2)
    expect(map.add('dataset-8/file-8.csv', 2)).toBe(1)
    expect(map.get('dataset-8/file-8.csv')).toBe(1)
    expect(map.get('dataset-8/file-9.csv')).toBeUndefined()
  })
})
