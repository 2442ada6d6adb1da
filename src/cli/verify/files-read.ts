import { availableParallelism } from 'node:os'
import type { HashPath } from '../../batch/verify-destination.ts'
import { checksumsOf } from '../../model/receipt.ts'
import type { Sink } from '../../sinks/sink.ts'
import { createHash } from '../../transfer/hash.ts'
import { hashOf } from '../../transfer/meter.ts'
import type { ActiveFile } from '../../model/progress-snapshot.ts'

/** Files read at the same time: so many that neither a core nor the disk waits for the other. */
export const FILES_AT_ONCE = Math.min(16, Math.max(4, 2 * availableParallelism()))

/** Finds the checksums of committed files, and knows which ones it is reading. */
export class FilesRead {
  readonly #sink: Sink
  readonly #signal: AbortSignal
  readonly #open = new Set<{ readonly path: string; bytes: number; readonly size: number }>()

  constructor(sink: Sink, signal: AbortSignal) {
    this.#sink = sink
    this.#signal = signal
  }

  /** Files that are being read. */
  open(): readonly ActiveFile[] {
    return [...this.#open].map((file) => ({ ...file }))
  }

  /** Reads every byte. */
  readonly hash: HashPath = async (path, [algorithm = 'sha256', ...digests], size) => {
    const file = { path, bytes: 0, size }
    this.#open.add(file)
    const hash = createHash({ algorithm, digests, size, saveable: false })
    try {
      const chunks = await this.#sink.read(path, this.#signal)
      const found = await hashOf(chunks, hash, (bytes) => (file.bytes = bytes))
      return checksumsOf(found)
    } finally {
      hash.close()
      this.#open.delete(file)
    }
  }

  /** What the store's own record says, e.g. the metadata of an object; nothing where there is none. */
  readonly recorded: HashPath = async (path, algorithms) => {
    const proof = (await this.#sink.stat(path, 'verify-0', this.#signal))?.proof
    const known = proof ? checksumsOf(proof) : []
    return algorithms.flatMap((wanted) => known.find(({ algorithm }) => algorithm === wanted) ?? [])
  }
}
