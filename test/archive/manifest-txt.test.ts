import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeManifestTxt, isManifestName, parseManifestTxt } from '../../src/archive/manifest-txt.ts'

const one = (line: string) => parseManifestTxt(`${line}\r\n`)?.lines[0]

describe('parseManifestTxt', () => {
  it('reads a line of each form', () => {
    const text = [
      'raw/2024/data.tab (text/tab-separated-values) 12100 bytes.',
      'big.bin (application/octet-stream)  skipped because the total size of the download bundle exceeded the limit of 104857600 bytes.',
      'secret.csv IS RESTRICTED AND CANNOT BE DOWNLOADED',
      'later.csv IS EMBARGOED AND CANNOT BE DOWNLOADED',
      'gone.csv IS RETENTIONEXPIRED AND CANNOT BE DOWNLOADED',
      'draft.csv IS NOTAUTHORIZED AND CANNOT BE DOWNLOADED',
      'lost.csv (text/csv) COULD NOT be downloaded because an I/O error has occured. ',
      '',
    ].join('\r\n')
    expect(parseManifestTxt(text)).toEqual({
      lines: [
        { kind: 'included', name: 'raw/2024/data.tab', mime: 'text/tab-separated-values', bytes: 12100 },
        { kind: 'skipped', label: 'big.bin', reason: 'limit', limit: 104857600 },
        { kind: 'skipped', label: 'secret.csv', reason: 'restricted' },
        { kind: 'skipped', label: 'later.csv', reason: 'embargoed' },
        { kind: 'skipped', label: 'gone.csv', reason: 'retention-expired' },
        { kind: 'skipped', label: 'draft.csv', reason: 'not-authorized' },
        { kind: 'skipped', label: 'lost.csv', reason: 'io-error' },
      ],
      unknown: [],
    })
  })

  it.each([
    'a (copy) (2).csv',
    'two  blanks   and three',
    ' leading blank',
    'x (text/csv) 5 bytes.',
    'secret.csv IS RESTRICTED AND CANNOT BE DOWNLOADED',
    'a  skipped because the total size',
    '数据 – “quoted” & 50%.csv',
    '()',
    '.',
  ])('is not led astray by the name %j', (name) => {
    expect(one(`${name} (text/plain; charset=UTF-8) 7 bytes.`)).toEqual({
      kind: 'included',
      name,
      mime: 'text/plain; charset=UTF-8',
      bytes: 7,
    })
    const skipped = ' skipped because the total size of the download bundle exceeded the limit of 0 bytes.'
    expect(one(`${name} (text/plain) ${skipped}`)).toEqual({ kind: 'skipped', label: name, reason: 'limit', limit: 0 })
    expect(one(`${name} IS EMBARGOED AND CANNOT BE DOWNLOADED`)).toEqual({
      kind: 'skipped',
      label: name,
      reason: 'embargoed',
    })
    const failed = `${name} (text/plain) COULD NOT be downloaded because an I/O error has occured. `
    expect(one(failed)).toEqual({ kind: 'skipped', label: name, reason: 'io-error' })
  })

  it('reads back any name without line breaks', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => !/[\r\n\u2028\u2029]/.test(text))
    fc.assert(
      fc.property(name, fc.nat(), (own, bytes) => {
        expect(one(`${own} (a/b) ${bytes} bytes.`)).toEqual({ kind: 'included', name: own, mime: 'a/b', bytes })
      }),
    )
  })

  it('keeps lines of no known form apart, and is undefined when there are no others', () => {
    expect(parseManifestTxt('x (a/b) 1 bytes.\r\nsomething new\r\n')).toMatchObject({ unknown: ['something new'] })
    expect(parseManifestTxt('a text of my own\nin two lines')).toBeUndefined()
  })

  it('takes an empty text for the manifest of an archive without files', () => {
    expect(parseManifestTxt('')).toEqual({ lines: [], unknown: [] })
  })

  it('decodes UTF-8, and else bytes one by one', () => {
    expect(decodeManifestTxt(Buffer.from('Übersicht'))).toBe('Übersicht')
    expect(decodeManifestTxt(Buffer.from('Übersicht', 'latin1'))).toBe('Übersicht')
  })
})

describe('isManifestName', () => {
  it('knows the name that the server gives when others have it', () => {
    const others = new Set(['MANIFEST.TXT', '0MANIFEST.TXT', '00MANIFEST.TXT'])
    expect(isManifestName('MANIFEST.TXT', new Set())).toBe(true)
    expect(isManifestName('00MANIFEST.TXT', others)).toBe(true)
    expect(isManifestName('0MANIFEST.TXT', new Set())).toBe(false)
    expect(isManifestName('000MANIFEST.TXT', new Set(['MANIFEST.TXT']))).toBe(false)
    expect(isManifestName('a/MANIFEST.TXT', others)).toBe(false)
    expect(isManifestName('manifest.txt', others)).toBe(false)
  })
})
