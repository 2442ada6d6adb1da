import { Speedometer } from '../model/speedometer.ts'
import type { BatchStatus } from '../status.ts'
import type { Pace } from './views.ts'

/** What came since the last look. */
export interface Gain {
  readonly bytes: number
  readonly files: number
}

interface Known {
  readonly bytes: Speedometer
  readonly files: Speedometer
  last: Gain
}

/** How fast each batch is, and what all of them gain, from looks at their counts. */
export class Paces {
  readonly #known = new Map<string, Known>()

  /** @param at milliseconds that only grow. @returns what came since the last time, over all batches that were known then */
  note(at: number, batches: readonly BatchStatus[]): Gain {
    const ids = new Set(batches.map(({ id }) => id))
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id)
    let [bytes, files] = [0, 0]
    for (const batch of batches) {
      const now: Gain = { bytes: batch.bytes + batch.openBytes, files: batch.done + batch.kept }
      const known = this.#known.get(batch.id)
      // What a batch had when it was first seen came at some time before.
      const last = known?.last ?? now
      bytes += Math.max(0, now.bytes - last.bytes)
      files += Math.max(0, now.files - last.files)
      const pace = known ?? { bytes: new Speedometer(), files: new Speedometer(), last: now }
      pace.bytes.note(at, now.bytes)
      pace.files.note(at, now.files)
      pace.last = now
      this.#known.set(batch.id, pace)
    }
    return { bytes, files }
  }

  of(id: string): Pace {
    const known = this.#known.get(id)
    return { speed: known?.bytes.speed, filesPerSecond: known?.files.speed?.bytesPerSecond }
  }
}
