import { resolve, sep } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_PATH_BYTES, MAX_SEGMENT_BYTES, safeFilePath, safePath } from '../../src/model/path.ts'

/** Names that strangers could choose, and what each becomes. */
const HOSTILE: readonly (readonly [given: string, safe: string])[] = [
  ['../../etc/passwd', '__/__/etc/passwd'],
  ['/etc/passwd', 'etc/passwd'],
  ['//server/share/x', 'server/share/x'],
  ['a/../../b', 'a/__/__/b'],
  ['./a/./b', 'a/b'],
  ['a//b/', 'a/b'],
  ['', '_'],
  ['.', '_'],
  ['..', '__'],
  ['...', '___'],
  ['/', '_'],
  ['C:\\Windows\\x', 'C__Windows_x'],
  ['C:/Windows/x', 'C_/Windows/x'],
  ['..\\..\\x', '.._.._x'],
  ['a\0b', 'a_b'],
  ['a\nb\tc', 'a_b_c'],
  ['<a>:"b"|?*', '_a___b____'],
  ['CON', '_CON'],
  ['con.txt', '_con.txt'],
  ['aux.tar.gz', '_aux.tar.gz'],
  ['NUL .txt', '_NUL .txt'],
  ['COM1', '_COM1'],
  ['com¹.csv', '_com¹.csv'],
  ['LPT²', '_LPT²'],
  ['CONIN$', '_CONIN$'],
  ['COM10', 'COM10'],
  ['console.log', 'console.log'],
  ['name.', 'name_'],
  ['name. . ', 'name____'],
  [' name', '_name'],
  ['\u00a0name\u3000', '_name_'],
  ['.hidden', '.hidden'],
  ['.dataferry/b1/items.ndjson', '_.dataferry/b1/items.ndjson'],
  ['.DataFerry', '_.DataFerry'],
  ['./.dataferry/x', '_.dataferry/x'],
  ['raw/.dataferry/x', 'raw/.dataferry/x'],
  ['.data\u200bferry/x', '.data_ferry/x'],
  ['invoice\u202egpj.exe', 'invoice_gpj.exe'],
  ['\ufeffa\u200db\u2066c', '_a_b_c'],
  ['a\ud800b', 'a_b'],
  ['\udc00', '_'],
  ['e\u0301te\u0301.csv', '\u00e9t\u00e9.csv'],
  ['Überblick 2024 (final).csv', 'Überblick 2024 (final).csv'],
  ['日本/データ.tab', '日本/データ.tab'],
  ['~/x', '~/x'],
  ['-rf', '-rf'],
]

const alphabet = fc.constantFrom(
  ...['/', '\\', '.', '..', ' ', ':', '\0', '\n', '"', '*', 'a', 'B', 'é', 'e\u0301', '\u202e', '\u200d', '\ud800'],
  ...[
    '\udfff',
    '😀',
    '👩‍👩‍👧',
    'CON',
    'nul',
    'COM¹',
    '.dataferry',
    '.tar.gz',
    '.csv',
    '~',
    '\u0338',
    '\uffff',
    '\u1100\u1161',
  ],
)
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.array(alphabet, { maxLength: 30 }).map((parts) => parts.join('')),
  fc.tuple(alphabet, fc.integer({ min: 1, max: 1500 }), alphabet).map(([a, n, b]) => a.repeat(n) + b),
  fc
    .array(fc.tuple(alphabet, fc.integer({ min: 1, max: 300 })), { maxLength: 12 })
    .map((runs) => runs.map(([a, n]) => a.repeat(n)).join('/')),
)

function expectSafe(path: string): void {
  const root = resolve(sep, 'root')
  expect(resolve(root, path).startsWith(root + sep)).toBe(true)
  expect(path.normalize('NFC')).toBe(path)
  expect(Buffer.byteLength(path)).toBeLessThanOrEqual(MAX_PATH_BYTES)
  expect(Buffer.from(path, 'utf8').toString('utf8')).toBe(path)
  expect(path).not.toMatch(/[<>:"|?*\\\p{Cc}\p{Cf}\p{Cs}]/u)
  expect(path.toLowerCase().split('/')[0]).not.toBe('.dataferry')
  for (const segment of path.split('/')) {
    expect(segment).not.toBe('')
    expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(MAX_SEGMENT_BYTES)
    expect(segment).not.toMatch(/^\s|[\s.]$/u)
    expect(segment).not.toMatch(/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i)
  }
}

describe('safe paths', () => {
  it.each(HOSTILE)('makes of %j the safe %j', (given, safe) => {
    expect(safePath(given)).toEqual({ path: safe, changed: safe !== given })
    expectSafe(safe)
  })

  it('never lets any name leave the folder or break a limit, and leaves what is safe alone', () => {
    fc.assert(
      fc.property(hostile, (given) => {
        const { path, changed } = safePath(given)
        expectSafe(path)
        expect(changed).toBe(path !== given)
        expect(safePath(path)).toEqual({ path, changed: false })
      }),
      { numRuns: 400 },
    )
  })

  it('holds the same for a folder and a label from a listing', () => {
    fc.assert(
      fc.property(hostile, hostile, (directory, label) => {
        const { path } = safeFilePath(directory, label)
        expectSafe(path)
        expect(safePath(path)).toEqual({ path, changed: false })
      }),
      { numRuns: 400 },
    )
  })

  it('does not take a slash or a dot in a label for a folder', () => {
    expect(safeFilePath('raw', 'a/b.csv')).toEqual({ path: 'raw/a_b.csv', changed: true })
    expect(safeFilePath('raw', '.')).toEqual({ path: 'raw/_', changed: true })
    expect(safeFilePath('raw', '')).toEqual({ path: 'raw/_', changed: true })
    expect(safeFilePath('', 'a.csv')).toEqual({ path: 'a.csv', changed: false })
    expect(safeFilePath('.dataferry', 'a.csv').path).toBe('_.dataferry/a.csv')
    expect(safeFilePath('', '.dataferry').path).toBe('_.dataferry')
  })

  it('keeps the extension of a long name, and keeps two long names apart', () => {
    const one = safePath(`${'x'.repeat(300)}1.tar.gz`).path
    const two = safePath(`${'x'.repeat(300)}2.tar.gz`).path
    expect(one).toMatch(/^x+~[0-9a-f]{10}\.tar\.gz$/)
    expect(Buffer.byteLength(one)).toBe(MAX_SEGMENT_BYTES)
    expect(one).not.toBe(two)
  })

  it('cuts between characters as people see them', () => {
    const family = '👩‍👩‍👧'.replaceAll('\u200d', '')
    const flags = safePath('🇳🇱'.repeat(60)).path
    expect(flags.indexOf('~') % '🇳🇱'.length).toBe(0)
    expect(safePath(family.repeat(40)).path).not.toContain('\ufffd')
    expect(safePath(`a${'\u0338'.repeat(400)}`).path).toMatch(/^a\u0338+~[0-9a-f]{10}$/)
  })

  it('keeps the name and the leading folders of a path that is too long as a whole', () => {
    const folder = 'f'.repeat(200)
    const path = safePath(`${Array.from({ length: 9 }, () => folder).join('/')}/data.csv`).path
    expect(path).toMatch(new RegExp(`^(?:${folder}/){4}~[0-9a-f]{10}/data\\.csv$`))
    const other = safePath(`${Array.from({ length: 10 }, () => folder).join('/')}/data.csv`).path
    expect(other).not.toBe(path)
  })
})
