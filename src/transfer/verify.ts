import { DataferryError } from '../errors.ts'
import { sameChecksum } from '../model/checksum.ts'
import type { Expectation } from '../model/item.ts'
import type { Verified } from '../model/receipt.ts'
import type { Received } from './meter.ts'

export type Verdict = { readonly verified: Verified; readonly note?: string } | { readonly error: DataferryError }

/**
 * Compares what was promised with what was received.
 * A matching checksum outweighs a listed size: on old data that size can be wrong (protocol note §3, IQSS/dataverse#8736).
 * @param servedSize bytes that the server announced with the answer; evidence only where a listing promises nothing
 */
export function verify(expect: Expectation, received: Received, servedSize: number | undefined): Verdict {
  if (expect.checksum) return verifyChecksum(expect, received, servedSize)
  const size = expect.size ?? servedSize
  if (size === undefined) return { verified: 'nothing' }
  if (received.size === size) return { verified: 'size' }
  return { error: sizeError(received.size, size) }
}

function verifyChecksum({ checksum, size }: Expectation, received: Received, servedSize: number | undefined): Verdict {
  if (checksum && sameChecksum(checksum, received.checksum)) {
    if (size === undefined || size === received.size) return { verified: 'checksum' }
    return { verified: 'checksum', note: `the listing says ${size} bytes` }
  }
  const whole = servedSize ?? size
  if (whole !== undefined && received.size < whole) return { error: sizeError(received.size, whole) }
  const promised = checksum ? `${checksum.algorithm} ${checksum.hex}` : ''
  return {
    error: new DataferryError(
      'CHECKSUM_MISMATCH',
      `The bytes have ${received.checksum.algorithm} ${received.checksum.hex}; the server published ${promised}.`,
    ),
  }
}

function sizeError(received: number, promised: number): DataferryError {
  const code = received < promised ? 'SHORT_BODY' : 'LONG_BODY'
  return new DataferryError(code, `${received} bytes came; ${promised} were promised.`)
}
