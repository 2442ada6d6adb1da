import { DIGESTS, type Algorithm } from '../../model/checksum.ts'
import { checksumsOf } from '../../model/receipt.ts'
import type { Records } from '../../sinks/sink.ts'
import type { Proven } from '../../batch/known-paths.ts'
import type { Result } from './result.ts'
import { readResults } from './results.ts'

/** `sha512sums.txt`: what was found right, as `sha512sum -c` and its sisters read it, with paths relative to the destination. */
export async function writeSums(records: Records, algorithm: Algorithm): Promise<void> {
  async function* lines(): AsyncGenerator<Uint8Array> {
    for await (const result of readResults(records)) {
      const found = isRight(result) ? checksumsOf(result).find((one) => one.algorithm === algorithm) : undefined
      if (found) yield Buffer.from(`${found.hex}  ${result.path}\n`)
    }
  }
  await records.write(`verified/${algorithm}sums.txt`, lines())
}

/** The digests that verifications have taken, where they may know more than receipts: later ones compare with them. */
export async function* provenBy(results: AsyncIterable<Result>): AsyncGenerator<Proven, void> {
  for await (const result of results) {
    const { path } = result
    // Of what is wrong, those of the bytes that should be there.
    const { size, checksum, digests } = isRight(result) ? result : (result.expected ?? {})
    // A file that was recorded without a checksum is known by its digest alone.
    const isDigest = DIGESTS.some((algorithm) => algorithm === checksum?.algorithm)
    if (digests || isDigest) yield { path, size, checksums: checksumsOf({ checksum, digests }) }
  }
}

function isRight({ state }: Result): boolean {
  return state === 'ok' || state === 'size-only'
}
