import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ALGORITHMS, HEX_LENGTH, parseChecksum, sameChecksum } from '../../src/model/checksum.ts'

describe('a checksum', () => {
  it.each([
    ['MD5', 'md5'],
    ['SHA-1', 'sha1'],
    ['SHA-256', 'sha256'],
    ['sha_512', 'sha512'],
    ['sha 1', 'sha1'],
  ] as const)('of type %s is known as %s', (type, algorithm) => {
    const hex = 'Ab'.repeat(HEX_LENGTH[algorithm] / 2)
    expect(parseChecksum(type, ` ${hex} `)).toEqual({ algorithm, hex: hex.toLowerCase() })
  })

  it('counts as absent when its type is unknown or its value has the wrong length or letters', () => {
    expect(parseChecksum('CRC32', '12345678')).toBeUndefined()
    expect(parseChecksum('MD5', '12345678')).toBeUndefined()
    expect(parseChecksum('MD5', 'g'.repeat(32))).toBeUndefined()
    expect(parseChecksum('SHA-1', 'a'.repeat(32))).toBeUndefined()
    expect(parseChecksum('', '')).toBeUndefined()
  })

  it('never fails, whatever a server writes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (type, value) => {
        expect(parseChecksum(type, value)).toBeUndefined()
      }),
    )
  })

  it('is the same only with the same algorithm and digits', () => {
    for (const algorithm of ALGORITHMS) {
      const hex = 'a'.repeat(HEX_LENGTH[algorithm])
      expect(sameChecksum({ algorithm, hex }, { algorithm, hex })).toBe(true)
      expect(sameChecksum({ algorithm, hex }, { algorithm, hex: hex.replace('a', 'b') })).toBe(false)
    }
    expect(sameChecksum({ algorithm: 'md5', hex: 'a' }, { algorithm: 'sha1', hex: 'a' })).toBe(false)
  })
})
