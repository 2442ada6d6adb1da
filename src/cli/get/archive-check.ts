import { checkStream } from '../../archive/check-stream.ts'
import type { CheckedArchive } from '../../archive/archive-report.ts'
import { DataferryError } from '../../errors.ts'
import type { Ref } from '../../model/item.ts'
import type { Inspect } from '../../transfer/transfer-archive.ts'
import { plural } from '../../model/format.ts'

/** How many left-out files are named. */
const SHOWN = 10

/** Inspects a ZIP as it streams past, and remembers what the server says it left out. */
export class ArchiveCheck {
  readonly #ref: Ref
  #archive: CheckedArchive | undefined

  constructor(ref: Ref) {
    this.#ref = ref
  }

  /** See `Inspect`. */
  readonly inspect: Inspect = async (bytes, signal) => {
    this.#archive = await checkStream(bytes, { signal })
    return { leftOut: [], note: `${plural(this.#archive.entries.length, 'file')} in it` }
  }

  /** Throws `ZIP_INCOMPLETE` when a sound archive, named `name`, lacks files that were asked for. */
  refuseIncomplete(name: string): void {
    if (!this.#archive || this.#ref.kind === 'all-forms') return
    const { manifest, entries } = this.#archive
    const skipped = (manifest?.lines ?? []).flatMap((line) =>
      line.kind === 'skipped' ? [`${line.label} (${line.reason})`] : [],
    )
    const asked = this.#ref.kind === 'zip' ? new Set(this.#ref.files).size : 0
    const unnamed = Math.max(0, asked - entries.length - skipped.length)
    const missing = skipped.length + unnamed
    if (missing === 0) return
    const more = missing - Math.min(skipped.length, SHOWN)
    const shown = [...skipped.slice(0, SHOWN), ...(more > 0 ? [`${more} more`] : [])].join(', ')
    const message = `${name} is intact, but the server left ${plural(missing, 'file')} out of it: ${shown}.`
    throw new DataferryError('ZIP_INCOMPLETE', message)
  }
}
