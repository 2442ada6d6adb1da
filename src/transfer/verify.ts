import { DataferryError, isAbort } from '../errors.ts'
import { sameChecksum } from '../model/checksum.ts'
import type { Expectation, Item } from '../model/item.ts'
import type { Verified } from '../model/receipt.ts'
import type { OpenSource } from '../model/source.ts'
import { createHash } from './hash.ts'
import type { Received } from './meter.ts'

/** What received bytes were compared with. */
export interface Accepted {
  readonly verified: Verified
  /** For people. */
  readonly note?: string
}

/** Where bytes came from, and how many the server announced; used only where a listing gives no size. */
export interface Served {
  readonly open: OpenSource
  readonly size: number | undefined
}

/**
 * Compares what arrived with what was promised. A matching checksum outweighs a listed size: on old data that size can be
 * wrong (protocol note §3, IQSS/dataverse#8736). A published checksum of another form says nothing about
 * these bytes, and then only their size is left to compare.
 * Rejects with `CHECKSUM_MISMATCH`, `SHORT_BODY`, `LONG_BODY`, `MANIFEST_MISMATCH` or the signal's reason.
 */
export async function judge(item: Item, received: Received, served: Served, signal: AbortSignal): Promise<Accepted> {
  const { expect } = item
  if (!expect.checksum) return judgeSize(expect, received, served)
  if (sameChecksum(expect.checksum, received.checksum)) {
    if (expect.size === undefined || expect.size === received.size) return { verified: 'checksum' }
    if (isOwn(expect, 'size')) throw notAsManifest(`${received.size} bytes arrived`, `${expect.size}`)
    return { verified: 'checksum', note: `the listing says ${expect.size} bytes` }
  }
  const whole = served.size ?? expect.size
  if (whole !== undefined && received.size < whole) throw sizeError(received.size, whole)
  const { algorithm, hex } = expect.checksum
  const came = `The bytes have ${received.checksum.algorithm} ${received.checksum.hex}`
  if (isOwn(expect, 'checksum')) throw notAsManifest(came, `${algorithm} ${hex}`)
  if (await hasLegacyChecksum(item, served.open, signal)) {
    const verified = received.size === (expect.size ?? served.size) ? 'size' : 'nothing'
    return { verified, note: 'the published checksum is that of the archival form without its header line' }
  }
  throw new DataferryError('CHECKSUM_MISMATCH', `${came}; the server published ${algorithm} ${hex}.`)
}

function judgeSize(expect: Expectation, received: Received, served: Served): Accepted {
  const size = expect.size ?? served.size
  if (size === undefined) return { verified: 'nothing' }
  if (received.size === size) return { verified: 'size' }
  const cut = received.size < (served.size ?? size)
  if (isOwn(expect, 'size') && !cut) throw notAsManifest(`${received.size} bytes arrived`, `${size}`)
  throw sizeError(received.size, size)
}

/** Whether only the manifest promises it: then the server is not to blame, and a retry cannot help. */
function isOwn({ own }: Expectation, promise: 'size' | 'checksum'): boolean {
  return own?.includes(promise) ?? false
}

function notAsManifest(came: string, promised: string): DataferryError {
  return new DataferryError(
    'MANIFEST_MISMATCH',
    `${came}; the manifest says ${promised}, and the server publishes none to compare with.`,
  )
}

function sizeError(received: number, promised: number): DataferryError {
  const code = received < promised ? 'SHORT_BODY' : 'LONG_BODY'
  return new DataferryError(code, `${received} bytes arrived; ${promised} were promised.`)
}

/**
 * Whether the published checksum of a tabular file is that of its archival form without the header line, as with some
 * files of old installations. Reads that form once, and keeps nothing.
 * @see protocol note §3 and IQSS/dataverse#9501
 */
async function hasLegacyChecksum(item: Item, open: OpenSource, signal: AbortSignal): Promise<boolean> {
  const { ref, expect } = item
  if (ref.kind !== 'file' || ref.format !== 'original' || ref.tabular !== true || !expect.checksum) return false
  const hash = createHash({ algorithm: expect.checksum.algorithm, size: undefined, saveable: false })
  try {
    const { body } = await open(ref, 0, { signal, count: false, headerless: true })
    for await (const chunk of body) await hash.update(chunk)
    return sameChecksum(expect.checksum, { algorithm: hash.algorithm, hex: await hash.digest() })
  } catch (error) {
    // The form does not exist (503 if the header line is stored, else 404): then the rule does not apply.
    if (isAbort(error) || signal.aborted) throw error
    return false
  } finally {
    hash.close()
  }
}
