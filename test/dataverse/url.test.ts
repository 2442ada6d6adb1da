import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formQuery, type DatafileOptions } from '../../src/dataverse/download-options.ts'
import { parseIdentifier } from '../../src/dataverse/identifier.ts'
import { Installation } from '../../src/dataverse/installation.ts'
import { bundleRoute, datasetZipRoute, fileRoute, zipRoute } from '../../src/dataverse/route.ts'

const anyPid = fc
  .tuple(fc.constantFrom('doi', 'hdl', 'perma'), fc.stringMatching(/^[!-~äß漢]{1,40}$/u))
  .map(([scheme, rest]) => `${scheme}:10.5072/${rest}`)
const anyId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const anyForm: fc.Arbitrary<DatafileOptions> = fc.oneof(
  fc.constant({}),
  fc.record({ format: fc.constantFrom('original', 'tab', 'RData', 'prep') }),
  fc.record({ variables: fc.array(fc.nat(), { minLength: 1, maxLength: 5 }) }),
  fc.constant({ noVarHeader: true }),
  fc.record({ imageThumb: fc.oneof(fc.constant(true), fc.integer({ min: 1, max: 4000 })) }),
)
const anyBase = fc.constantFrom('https://dv.example.edu', 'https://dv.example.edu/', 'https://example.edu/data/verse/')

describe('URLs', () => {
  it('say exactly what was asked for, for any id, PID and option', () => {
    fc.assert(
      fc.property(anyBase, fc.oneof(anyId, anyPid), anyForm, (baseUrl, identifier, options) => {
        const installation = new Installation({ baseUrl })
        const url = new URL(installation.url(fileRoute(identifier), formQuery(options)))
        const base = baseUrl.replace(/\/$/, '')
        const place = typeof identifier === 'number' ? String(identifier) : ':persistentId'
        expect(url.origin + url.pathname).toBe(`${base}/api/access/datafile/${place}`)
        const expected = new Map<string, string>()
        if (typeof identifier === 'string') expected.set('persistentId', identifier)
        for (const [name, value] of Object.entries(options)) expected.set(name, String(value))
        expect(new Map(url.searchParams)).toEqual(expected)
        expect(url.hash).toBe('')
      }),
    )
  })

  it('keep what PIDs are made of readable', () => {
    const installation = new Installation({ baseUrl: 'https://dv.example.edu/sub', apiVersion: 'v1' })
    expect(installation.url(fileRoute('doi:10.5072/FK2/ABC/DEF', '/requestAccess'))).toBe(
      'https://dv.example.edu/sub/api/v1/access/datafile/:persistentId/requestAccess?persistentId=doi:10.5072/FK2/ABC/DEF',
    )
    expect(installation.url(bundleRoute(7))).toBe('https://dv.example.edu/sub/api/v1/access/datafile/bundle/7')
    expect(installation.url(datasetZipRoute('hdl:1/2', ':latest-published'))).toBe(
      'https://dv.example.edu/sub/api/v1/access/dataset/:persistentId/versions/:latest-published?persistentId=hdl:1/2',
    )
    expect(installation.url(zipRoute([3, '4', 5]))).toBe('https://dv.example.edu/sub/api/v1/access/datafiles/3,4,5')
  })

  it.each([
    [42, { kind: 'id', id: 42 }],
    [' 42 ', { kind: 'id', id: 42 }],
    ['DOI:10.5072/FK2/ABC', { kind: 'pid', pid: 'doi:10.5072/FK2/ABC' }],
    ['https://doi.org/10.5072/FK2/ABC', { kind: 'pid', pid: 'doi:10.5072/FK2/ABC' }],
    ['http://dx.doi.org/10.5072/FK2%2FABC', { kind: 'pid', pid: 'doi:10.5072/FK2/ABC' }],
    ['https://hdl.handle.net/1902.1/111', { kind: 'pid', pid: 'hdl:1902.1/111' }],
    ['perma:ABC123', { kind: 'pid', pid: 'perma:ABC123' }],
    ['https://dv.example.edu/citation?persistentId=perma:ABC', { kind: 'pid', pid: 'perma:ABC' }],
    [
      'https://dv.example.edu/file.xhtml?persistentId=doi:10.5072/A/B&version=1.0',
      { kind: 'pid', pid: 'doi:10.5072/A/B' },
    ],
  ])('%j is understood', (identifier, known) => {
    expect(parseIdentifier(identifier)).toEqual(known)
  })

  it.each([
    0,
    -1,
    1.5,
    NaN,
    '',
    'abc',
    'doi:',
    'doi:10.5072/a b',
    'https://example.org/x',
    '99999999999999999999',
    '\ud800',
  ])('%j names nothing and is refused', (identifier) => {
    expect(() => parseIdentifier(identifier)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }))
  })

  it('a DOI without its scheme is refused with the right spelling', () => {
    expect(() => parseIdentifier('10.5072/FK2/ABC')).toThrow('doi:10.5072/FK2/ABC')
  })

  it('long id lists go by POST, PIDs and empty lists are refused', () => {
    const many = Array.from({ length: 1000 }, (_, index) => 100_000 + index)
    expect(zipRoute(many)).toMatchObject({ method: 'POST', path: 'access/datafiles', ids: many })
    expect(() => zipRoute([])).toThrow('at least one')
    expect(() => zipRoute([1, 'doi:10.5072/X'])).toThrow('database ids only')
  })

  it.each([
    [{ format: 'tab', noVarHeader: true }, 'only one of format and noVarHeader'],
    [{ format: 'bundle' }, 'getDatafileBundle'],
    [{ format: 'GlobusTransfer' }, 'Globus'],
    [{ format: 'toString' }, 'not a format'],
    [{ variables: [] }, 'variables'],
    [{ variables: ['x&y'] }, 'variables'],
    [{ imageThumb: 0 }, 'pixels'],
  ])('options %j are refused', (options, reason) => {
    // Callers without types can hand in anything.
    expect(() => formQuery(options as Parameters<typeof formQuery>[0])).toThrow(reason)
  })

  it('two forms at once are refused by type, too', () => {
    // @ts-expect-error The server would apply only one of them.
    const options: DatafileOptions = { format: 'tab', noVarHeader: true }
    expect(() => formQuery(options)).toThrow('only one')
  })

  it('options that are off are not sent, and tabular means tab', () => {
    expect(formQuery({ noVarHeader: false, imageThumb: false, format: 'tabular' })).toEqual([['format', 'tab']])
  })

  it.each(['dv.example.edu', 'ftp://dv.example.edu', 'https://me:pw@dv.example.edu', 'https://dv.example.edu/?key=1'])(
    'a base URL of %s is refused',
    (baseUrl) => {
      expect(() => new Installation({ baseUrl })).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }))
    },
  )

  it('tokens that a header cannot carry are refused without being shown', () => {
    const baseUrl = 'https://dv.example.edu'
    expect(() => new Installation({ baseUrl, apiToken: 'abc\r\ndef' })).toThrow(/^(?!.*abc)/s)
    expect(() => new Installation({ baseUrl, apiToken: 'a', bearerToken: 'b' })).toThrow('not both')
  })
})
