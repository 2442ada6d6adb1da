import { describe, expect, it } from 'vitest'
import {
  mediaType,
  parseContentLength,
  parseContentRange,
  parseFileName,
  parseRetryAfter,
  strongEtag,
} from '../../../src/dataverse/http/headers.ts'

describe('headers', () => {
  it.each([
    ['bytes 500-999/1234', { from: 500, to: 999, size: 1234 }],
    ['bytes 0-0/1', { from: 0, to: 0, size: 1 }],
    ['BYTES 5-9/*', { from: 5, to: 9, size: undefined }],
    ['bytes */1234', undefined],
    ['bytes 9-5/20', undefined],
    ['bytes 0-20/20', undefined],
    ['bytes -400-99/100', undefined],
    ['items 0-1/2', undefined],
    ['bytes 0-99999999999999999999/*', undefined],
    [undefined, undefined],
  ])('a Content-Range of %j says %j', (value, range) => {
    expect(parseContentRange(value)).toEqual(range)
  })

  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Wed, 22 Jul 2026 10:00:30 GMT', 30_000],
    ['Wed, 22 Jul 2026 09:00:00 GMT', 0],
    ['-5', undefined],
    ['soon', undefined],
    ['2026', 2_026_000],
    ['99999999999', 3_600_000],
    ['9'.repeat(400), undefined],
    ['Wed, 22 Jul 2099 10:00:30 GMT', 3_600_000],
    [`Wed, ${' '.repeat(60_000)}`, undefined],
    [undefined, undefined],
  ])('a Retry-After of %j means %j ms', (value, ms) => {
    expect(parseRetryAfter(value, Date.parse('2026-07-22T10:00:00Z'))).toBe(ms)
  })

  it.each([
    ['attachment; filename="a%20b%2Cc.csv"', 'a b,c.csv'],
    ["attachment; filename*=UTF-8''caf%C3%A9.csv", 'café.csv'],
    [`attachment; filename="plain.csv"; filename*=UTF-8''star.csv`, 'star.csv'],
    ['attachment; filename=bare.csv', 'bare.csv'],
    ['attachment; filename="100% sure.csv"', '100% sure.csv'],
    ['attachment; filename="say \\"hi\\".txt"', 'say "hi".txt'],
    ['attachment; filename="..%2F..%2Fetc%2Fpasswd"', 'passwd'],
    ['attachment; filename="C:\\\\boot.ini"', 'boot.ini'],
    ['attachment; filename=".."', undefined],
    [`attachment; filename="${Buffer.from('naïve.txt').toString('latin1')}"`, 'naïve.txt'],
    [`attachment; filename="${'x'.repeat(60_000)}"`, undefined],
    ['attachment', undefined],
    [undefined, undefined],
  ])('a Content-Disposition of %j names %j', (value, name) => {
    expect(parseFileName(value)).toBe(name)
  })

  it('only strong validators count as ETags', () => {
    expect(strongEtag('"abc-2"')).toBe('"abc-2"')
    expect(strongEtag('W/"abc"')).toBeUndefined()
    expect(strongEtag('abc')).toBeUndefined()
    expect(strongEtag(undefined)).toBeUndefined()
  })

  it('lengths are plain numbers, media types come without parameters', () => {
    expect([parseContentLength('12'), parseContentLength('1e3'), parseContentLength('-1')]).toEqual([
      12,
      undefined,
      undefined,
    ])
    expect(mediaType('Text/CSV; name="a.csv"')).toBe('text/csv')
    expect(mediaType('')).toBeUndefined()
  })
})
