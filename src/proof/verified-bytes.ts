import { DataferryError } from '../errors.ts'
import type { Algorithm } from '../model/checksum.ts'
import { checksumsOf } from '../model/receipt.ts'
import type { Sink } from '../sinks/sink.ts'
import { Digests } from './digests.ts'
import type { HoldingFile } from './holding.ts'

/** Opens the bytes of a file where they are held. */
export type ReadHeld = (file: HoldingFile) => AsyncIterable<Uint8Array>

/** Reads what is held in a destination. */
export function heldIn(sink: Sink, signal: AbortSignal): ReadHeld {
  return async function* ({ place }) {
    yield* await sink.read(place, signal)
  }
}

/** Bytes on their way, with what they turn out to be. */
export interface VerifiedBytes {
  readonly chunks: AsyncIterable<Uint8Array>
  /** Reads what is left of them. Rejects with `CHECKSUM_MISMATCH`. */
  readonly digests: () => Promise<ReadonlyMap<Algorithm, string>>
}

/** A file's bytes, hashed on their way and compared with all that is known of them in these algorithms and that of its checksum. */
export function verifiedBytes(file: HoldingFile, algorithms: readonly Algorithm[], read: ReadHeld): VerifiedBytes {
  const { place, size, checksum } = file
  let found: ReadonlyMap<Algorithm, string> | undefined
  const chunks = (async function* (): AsyncGenerator<Uint8Array> {
    const digests = new Digests([...algorithms, ...(checksum ? [checksum.algorithm] : [])], size)
    try {
      yield* digests.through(read(file))
      const result = await digests.result()
      if (result.size !== size) throw changed(place, `${result.size} bytes`, `${size} bytes`)
      for (const { algorithm, hex } of checksumsOf(file)) {
        const found = result.digests.get(algorithm)
        if (found !== undefined && found !== hex) throw changed(place, found, hex)
      }
      found = result.digests
    } finally {
      digests.close()
    }
  })()
  return {
    chunks,
    digests: async () => {
      while (!(await chunks.next()).done);
      if (!found) throw new DataferryError('SINK_FAILED', `${place} was not read to its end.`)
      return found
    },
  }
}

function changed(place: string, now: string, was: string): DataferryError {
  return new DataferryError('CHECKSUM_MISMATCH', `${place} is not what was fetched: ${now}, was ${was}.`, {
    advice: 'Run `dataferry verify` on the data, fetch again what it names, then give the same command again.',
  })
}
