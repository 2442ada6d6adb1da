import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MANIFEST_FORMATS, type ManifestFormat } from '../../src/manifest/detect-format.ts'
import { readManifest } from '../../src/manifest/read-manifest.ts'
import { PathRegistry } from '../../src/model/path-registry.ts'
import { safeFilePath, safePath } from '../../src/model/path.ts'
import { countSteps, type Steps } from '../steps.ts'
import { inPieces, SERVERS } from './reading.ts'

/** No expression may get more than this: then the worst of them costs a bounded multiple of its text. */
const BOUND = 8192
/** Lengths that are compared: what is linear looks at four times as much in the longer one, and a little always. */
const [SHORT, LONG] = [15_000, 60_000]
const ALWAYS = 50_000

function expectLinear(short: Steps, long: Steps): void {
  expect(long.longest).toBeLessThanOrEqual(BOUND)
  expect(long.looks).toBeLessThanOrEqual(4.5 * short.looks + ALWAYS)
}

const piece = fc.constantFrom(
  ...[
    '.',
    '/',
    ' ',
    '\t',
    '#',
    ' #',
    '"',
    '""',
    'x","',
    ',"',
    ',',
    ';',
    '1',
    '1,',
    'a',
    'a=',
    '\u0338',
    'e\u0301',
    '\u2028',
  ],
  ...[
    '%2f',
    '%0A',
    '&amp;',
    '[',
    '{',
    '{"id":',
    '\\',
    'href="',
    '@',
    ':',
    'doi:10.5/',
    'https://dv.example.edu/',
    '-',
    '😀',
    '\ud800',
  ],
  ...['id', 'path', 'version', '\u200b', '\u00a0', "'", '&', '?', '(', '~', '\r'],
)
const unit = fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(''))
const header = fc.constantFrom('', 'id,path\n', 'ids,md5,size\n', 'url,checksum,kind,version\n', '1 1 data/', 'id\n1,')
const shape = fc.record({
  format: fc.constantFrom<ManifestFormat | 'auto'>('auto', ...MANIFEST_FORMATS),
  start: fc.tuple(header, unit).map((parts) => parts.join('')),
  unit,
  end: fc.oneof(unit, fc.constant('')),
  /** Characters of a line; many short ones, or one long one. */
  line: fc.constantFrom(3, 100, 70_000),
})
type Shape = typeof shape extends fc.Arbitrary<infer T> ? T : never

function textOf({ start, unit: repeated, end, line }: Shape, size: number): string {
  const length = Math.min(line, size)
  const one = repeated.repeat(Math.max(1, Math.ceil(length / repeated.length))) + end
  return `${start}${`${one}\n`.repeat(Math.max(1, Math.ceil(size / one.length)))}`
}

function read(text: string, format: ManifestFormat | 'auto'): Promise<Steps> {
  const lines = readManifest(inPieces(text, 65_536), { name: 'm', servers: SERVERS, format })[Symbol.asyncIterator]()
  return countSteps(async () => {
    while (!(await lines.next()).done);
  })
}

describe('reading a manifest', () => {
  it('looks at four times as much of what is four times as long, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async (one) => {
        const [short, long] = [textOf(one, SHORT), textOf(one, LONG)]
        expectLinear(await read(short, one.format), await read(long, one.format))
      }),
      { numRuns: 50 },
    )
  })

  it.each<[string, ManifestFormat, (n: number) => string]>([
    ['a comment full of signs that end at a line separator', 'list', (n) => `1${' #'.repeat(n / 2)}\u2028`],
    ['blanks', 'list', (n) => `1${' '.repeat(n)}2`],
    ['a folder of slashes', 'csv', (n) => `id,directory,name\n1,a${'/'.repeat(n)}b,c\n`],
    ['quotes that stay open', 'csv', (n) => 'x","\n'.repeat(n / 5)],
    ['a quote that stays open over doubled ones', 'csv', (n) => `id,path\n1,"\n${'""\n'.repeat(n / 3)}`],
    ['a list of ids', 'csv', (n) => `ids\n"${'1, '.repeat(n / 3)}"\n`],
    ['blanks instead of a path', 'bagit', (n) => `https://dv.example.edu/api/files/1 1${' '.repeat(n)}\n`],
    ['blanks instead of an option', 'aria2', (n) => `https://dv.example.edu/api/files/1\n${' '.repeat(n)}x\n`],
  ])('stays linear for %s', async (_, format, make) => {
    expectLinear(await read(make(SHORT), format), await read(make(LONG), format))
  })
})

describe('making a path safe', () => {
  const parts = fc.tuple(unit, unit, unit)
  const pathOf = ([start, repeated, end]: readonly [string, string, string], size: number): string =>
    start + repeated.repeat(Math.ceil(size / repeated.length)) + end

  it('looks at four times as much of what is four times as long', async () => {
    const steps = (given: string, asLabel: boolean): Promise<Steps> =>
      countSteps(() => {
        const paths = new PathRegistry()
        const { path } = asLabel ? safeFilePath('raw', given) : safePath(given)
        paths.claim(path)
        paths.claim(path)
        return Promise.resolve()
      })
    await fc.assert(
      fc.asyncProperty(parts, fc.boolean(), async (given, asLabel) => {
        expectLinear(await steps(pathOf(given, SHORT), asLabel), await steps(pathOf(given, LONG), asLabel))
      }),
      { numRuns: 50 },
    )
  })

  it.each([
    ['dots', '.'],
    ['slashes', '/'],
    ['combining marks', '\u0338'],
    ['blanks', ' '],
    ['endings', '.a'],
  ])('of 64,000 %s looks at no more than 1,024 characters at a time', async (_, repeated) => {
    const given = `a${repeated.repeat(64_000 / repeated.length)}b`
    const { longest } = await countSteps(() => {
      safePath(given)
      safeFilePath(given, given)
      return Promise.resolve()
    })
    expect(longest).toBeLessThanOrEqual(1_100)
  })
})
