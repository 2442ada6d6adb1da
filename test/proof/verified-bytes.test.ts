import { expect, it } from 'vitest'
import { inMemory } from '../../src/proof/pack/pack-entry.ts'
import { verifiedBytes } from '../../src/proof/verified-bytes.ts'
import { checksumOf } from '../contracts/hash.ts'
import { bytesOf } from '../contracts/sink-bytes.ts'

const BYTES = bytesOf(1000)
const OTHER = bytesOf(1000, 2)

it('bytes that are handed on are compared with every digest that is known of them and taken anyway', async () => {
  const file = { place: 'a', path: 'a', size: BYTES.length, checksum: checksumOf(BYTES) }
  const digests = (known: Uint8Array, ...algorithms: ('sha256' | 'sha512')[]) =>
    verifiedBytes({ ...file, digests: [checksumOf(known, 'sha512')] }, algorithms, () => inMemory(BYTES)).digests()
  expect((await digests(BYTES, 'sha512')).get('sha512')).toBe(checksumOf(BYTES, 'sha512').hex)
  // As if somebody had found other bytes with the same MD5.
  await expect(digests(OTHER, 'sha512')).rejects.toMatchObject({ code: 'CHECKSUM_MISMATCH' })
  expect([...(await digests(OTHER, 'sha256')).keys()]).toEqual(['sha256', 'md5'])
})
