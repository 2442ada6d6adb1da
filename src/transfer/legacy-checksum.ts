import type { Item } from '../model/item.ts'
import type { OpenSource } from '../model/source.ts'
import { sameChecksum } from '../model/checksum.ts'
import { isAbort } from '../errors.ts'
import { createHash } from './hash.ts'

/**
 * Whether the published checksum of a tabular file is that of its archival form without the header line, as with some
 * files of old installations: then it says nothing about the original. Reads that form once, and keeps nothing.
 * @see protocol note §3 and IQSS/dataverse#9501
 */
export async function hasLegacyChecksum(item: Item, open: OpenSource, signal: AbortSignal): Promise<boolean> {
  const { ref, expect } = item
  if (ref.kind !== 'file' || ref.format !== 'original' || ref.tabular !== true || !expect.checksum) return false
  const hash = createHash({ algorithm: expect.checksum.algorithm, size: undefined, saveable: false })
  try {
    const { body } = await open(ref, 0, { signal, count: false, headerless: true })
    for await (const chunk of body) await hash.update(chunk)
    return sameChecksum(expect.checksum, { algorithm: hash.algorithm, hex: await hash.digest() })
  } catch (error) {
    // The form cannot be had (503 where the header line is stored, 404 elsewhere): then the rule does not apply.
    if (isAbort(error) || signal.aborted) throw error
    return false
  } finally {
    hash.close()
  }
}
